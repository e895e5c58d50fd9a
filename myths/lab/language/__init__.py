"""Sequence models: vocabularies, parallel corpora, a transformer, training, beam search and BLEU."""
