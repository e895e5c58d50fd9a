"""Catalog of texts: one file each, line by line as published. None is published in exactly this form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TextSource:
    """Origin of texts."""

    title: str
    license: str
    citation: str
    where: str


_SOURCES: dict[str, TextSource] = {
    "multi30k": TextSource(
        "Multi30k: 29,000 image descriptions in German and English, 1,014 for validation, four test parts; raw",
        "Multi30k's own; research",
        "D. Elliott, S. Frank, K. Sima'an, L. Specia. Multi30K: Multilingual English-German Image Descriptions. VL 2016.",
        "github.com/multi30k/dataset, data/task1/raw, unpacked",
    ),
    "iwslt14": TextSource(
        "IWSLT 2014 German-English, validation and test, tokenized and in lower case",
        "TED's CC BY-NC-ND",
        "M. Cettolo, J. Niehues, S. Stüker, L. Bentivogli, M. Federico. Report on the 11th IWSLT Evaluation Campaign. 2014.",
        "fairseq's examples/translation/prepare-iwslt14.sh, before its byte-pair encoding",
    ),
    "tinyshakespeare": TextSource(
        "Tiny Shakespeare: a million characters of the plays",
        "public domain",
        "A. Karpathy. The Unreasonable Effectiveness of Recurrent Neural Networks. 2015.",
        "github.com/karpathy/char-rnn, data/tinyshakespeare/input.txt",
    ),
    "ptb": TextSource(
        "Penn Treebank for language modeling, in Mikolov's form; of the training part the first 6,778 lines",
        "LDC's; research",
        "M. P. Marcus, B. Santorini, M. A. Marcinkiewicz. Building a Large Annotated Corpus of English. 1993.",
        "Mikolov's ptb.{train,valid,test}.txt; `head -n 6778` of the first",
    ),
    "wikitext2": TextSource(
        "WikiText-2, validation and test parts",
        "CC BY-SA 3.0",
        "S. Merity, C. Xiong, J. Bradbury, R. Socher. Pointer Sentinel Mixture Models. 2016.",
        "wiki.{valid,test}.tokens",
    ),
    "bbc_news_summary": TextSource(
        "BBC News Summary: 2,225 articles with extractive summaries, one JSON object a line",
        "research",
        "D. Greene, P. Cunningham. Practical Solutions to the Problem of Diagonal Dominance in Kernel Document Clustering. ICML 2006.",
        "the Kaggle data set BBC News Summary, as lines of category, file, article, summary",
    ),
}

_CONTENT = {
    "bbc_news_summary": "464eb85265013d8a46522d97c941c0f62ac37ecf1ef98f818f9537ea06af1fbb",
    "iwslt14.test.de": "4baefe530cbd6df058e2695758271c81c9c6072684d1ff12ab1acb7d03fc5e2f",
    "iwslt14.test.en": "a3087c668246ce014c53734cc0e3d267c304c98c58047545f25d0e4362818c38",
    "iwslt14.valid.de": "f9c7d51283d5c40cf8f3de6a8a1869b094ed652bd3b2c2da4e6b33d3e24c863a",
    "iwslt14.valid.en": "c81e73c115b6c4d38ef84fb7a85171cdc843a85ceba2a7017bb6ce1644abff58",
    "multi30k.test_2016_flickr.de": "04d3780193b62d6c0269f88a00d8d47d5ff8dfae059e0567a603313907c1ec11",
    "multi30k.test_2016_flickr.en": "8a519d317e40e66146657924e885a07a7254d791d2f3d6dabdd3ab6d59cc2188",
    "multi30k.test_2017_flickr.de": "8a9e33a73c5e47e198752b782312eb40141b7a6793e36d9b0588b8153f94a359",
    "multi30k.test_2017_flickr.en": "abcca337a7c489ee05c5b56098bb03460fcbe00be7d212177ee03709161f986a",
    "multi30k.test_2017_mscoco.de": "9f28fc1687d221866ff9aee3245cf7e07d4334c1cd025d4ffbd3975c07f49ae2",
    "multi30k.test_2017_mscoco.en": "226517a246f15d2f6f277e836e8491e6fe3b7b294b711bc12bdbc8afc1199ab4",
    "multi30k.test_2018_flickr.de": "b9b70e7bd0b1402bd42d87b7c42aab8c1d3fb21dc69df1100fe4f32517d3cc66",
    "multi30k.test_2018_flickr.en": "911d7a786c92360d811e279e88123b62af9371466d7c4c5403d077fdb832edb0",
    "multi30k.train.de": "9de77c7c35e945ff14dc6f5e58a01ada6ea3d032c41b5f2ad71ff82fa17d434c",
    "multi30k.train.en": "fff2ddf79b60a44e34b1bd080903b91c3228652b6edc98af32c04fd76182fc79",
    "multi30k.val.de": "726d05f9e8a1e84ea3b71a380689ed291fd00dff1d1719f581379523c470a6ff",
    "multi30k.val.en": "519f7fa2f07a8a8f5b97a6c4f24ae26bfcc20dd874f142f7ccfb7c8fa89ac630",
    "ptb.test": "a610141e3e4b5c365b4e16d4ebb4d4d5a7b758a1eb82f842a1b9bee3923e3d19",
    "ptb.train_first6778lines": "3b2bbec2729e25e49acf657ae81facca8af641a24e199bb481935e685dd7d3c7",
    "ptb.valid": "4795278af3c25944c7b47c47b3c194956a03ac8243b1a21a67c618ed3d20cce2",
    "tinyshakespeare": "cd055320b03d4604b5e30029c366b63c61721071cb84b71a8075d110b6955180",
    "wikitext2.test": "d7f0e94f53f93d87eed41190d2f0ec806147edaa612107e201eb2052e4233f66",
    "wikitext2.valid": "987fe304478951db4608307d65db1c3d043695a0736ed4d6ca62aae3ee0c04c5",
}
"""Name of each text -> SHA-256 of its content in prepared form."""


def facts() -> list[dict[str, Any]]:
    """Return the catalog entries of the texts."""
    return [
        {
            "name": name,
            "title": f"{source.title} ({name})",
            "license": source.license,
            "citation": source.citation,
            "content": content,
            "note": f"take it from {source.where}, or copy text/{name}.* from another machine; it lies in text/ with its .json",
        }
        for name, content in _CONTENT.items()
        for source in (_SOURCES[name.partition(".")[0]],)
    ]
