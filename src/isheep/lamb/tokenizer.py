"""lamb's tokenizer: byte-level BPE of 1280 tokens, learnt on its own corpus.

Two rules matter to the loop. A space belongs to the word behind it, so a prompt that ends in ":" and an answer that
begins with " " meet at a token border. Digits stand alone (" 1", "0"), so numbers can be compared digit by digit and a
score from 1 to 10 is one token, or two for 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from isheep.lamb.corpus import END

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Padding has a token of its own: one that also ended answers would be masked out of the labels with them.
PAD = "<|pad|>"
VOCABULARY = 1280
_PIECES = r" ?[0-9]| ?[A-Za-z]+|\n+| ?[^\sA-Za-z0-9]+|\s"


def train(texts: Iterable[str]) -> Tokenizer:
    """Learn the tokenizer from texts; the same texts give the same tokenizer."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def as_pretrained(tokenizer: Tokenizer, context: int) -> Any:
    """The tokenizer as transformers knows it; nothing is added to a text unasked."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        model_max_length=context,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
