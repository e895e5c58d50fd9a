"""Sequence models: subword vocabulary, parallel texts, one transformer, its training, beam search, BLEU."""
