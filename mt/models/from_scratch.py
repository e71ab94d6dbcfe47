"""A new Marian model with a vocabulary learnt from sentence pairs; how the embedded base model was started."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import sentencepiece
import torch
from transformers import MarianConfig, MarianMTModel, MarianTokenizer

from mt.config import ScratchConfig
from mt.errors import DataError
from mt.languages import ENGLISH_TO_ARABIC, LanguagePair
from mt.models.word_alignment import count_links, shared_embeddings

logger = logging.getLogger(__name__)

_MAX_POSITIONS = 512
_PASSED_ON = 1.0
"""Factor of the identity matrix in the decoder's attention to the source: what it attends to is passed on unchanged."""
_QUIET = 0.1
"""Factor by which all layers' outputs are scaled down at first, so that the embeddings dominate."""


def create_marian(
    config: ScratchConfig,
    sources: Sequence[str],
    targets: Sequence[str],
    directory: Path,
    seed: int,
    languages: LanguagePair = ENGLISH_TO_ARABIC,
) -> None:
    """Write an untrained Marian model with its tokenizer to `directory`, laid out like the OPUS-MT models.

    One SentencePiece model serves sources and targets. Ids: `</s>` 0, `<unk>` 1, the token of the target language,
    such as `>>ara<<`, 2, then the pieces; `<pad>`, which also starts decoding, is last. Raises `DataError` if the text
    is too small for the vocabulary.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tokenizer = _learn_tokenizer(config.vocabulary_size, [*sources, *targets], directory, languages)
    torch.manual_seed(seed)
    size = len(tokenizer.get_vocab())
    model = MarianMTModel(
        MarianConfig(
            vocab_size=size,
            max_position_embeddings=_MAX_POSITIONS,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            encoder_attention_heads=config.attention_heads,
            decoder_attention_heads=config.attention_heads,
            encoder_ffn_dim=config.ffn_dim,
            decoder_ffn_dim=config.ffn_dim,
            d_model=config.d_model,
            # Embeddings start at d_model**-0.5 and are scaled back to 1 on the way in (Vaswani et al., 2017).
            init_std=config.d_model**-0.5,
            scale_embedding=True,
            activation_function="swish",
            dropout=0.1,
            pad_token_id=size - 1,
            decoder_start_token_id=size - 1,
            eos_token_id=0,
            forced_eos_token_id=None,
        )
    )
    if config.lexical_start:
        start_from_lexicon(model, tokenizer, sources, targets, seed)
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    logger.info("new Marian model: %.1f M parameters, vocabulary %d", model.num_parameters() / 1e6, size)


def start_from_lexicon(
    model: MarianMTModel, tokenizer: MarianTokenizer, sources: Sequence[str], targets: Sequence[str], seed: int
) -> None:
    """Initialise the model so that it translates word by word; attention and word order are left to learn.

    Source and target share one embedding matrix, in which pieces that translate each other get similar vectors
    (`mt.models.word_alignment`). The decoder's attention to the source starts as the identity, and all other layers
    start with small outputs. So when the decoder attends to the source piece `war`, the output is close to the vector
    of `war`, which is close to that of its translation, whose logit is then high.
    """
    source_ids = tokenizer(list(sources))["input_ids"]
    target_ids = tokenizer(text_target=list(targets))["input_ids"]
    links = count_links(source_ids, target_ids, model.config.vocab_size, seed)
    vectors = torch.from_numpy(shared_embeddings(links, model.config.d_model)).float()
    identity = torch.eye(model.config.d_model)
    with torch.no_grad():
        known = vectors.norm(dim=1) > 0
        model.get_input_embeddings().weight[known] = vectors[known]
        for name, weight in model.named_parameters():
            if name.endswith(("out_proj.weight", "fc2.weight")):
                weight.mul_(_QUIET)
        for layer in model.model.decoder.layers:
            layer.encoder_attn.v_proj.weight.mul_(_QUIET).add_(_PASSED_ON * identity)
            layer.encoder_attn.out_proj.weight.add_(_PASSED_ON * identity)
    logger.info("lexical start: %d of %d pieces have translations", int(known.sum()), len(known))


def _learn_tokenizer(size: int, sentences: Iterable[str], directory: Path, languages: LanguagePair) -> MarianTokenizer:
    specials = ["</s>", "<unk>", f">>{languages.target.iso3[0]}<<"]
    model_file = directory / "source.spm"
    with model_file.open("wb") as file:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=file,
                # SentencePiece counts its own <unk>, <s> and </s>; we replace these 3 by our 3 specials and add <pad>.
                vocab_size=size - len(specials) - 1 + 3,
                character_coverage=1.0,
                # Text is normalised by mt.text.normalise; SentencePiece's NFKC would rewrite more.
                normalization_rule_name="identity",
                minloglevel=2,
            )
        except RuntimeError as error:
            raise DataError(f"model.scratch.vocabulary_size {size} does not fit the training text ({error})") from error
    (directory / "target.spm").write_bytes(model_file.read_bytes())
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model_file))
    pieces = [processor.id_to_piece(i) for i in range(processor.get_piece_size()) if not processor.is_control(i)]
    vocabulary = [*specials, *(piece for piece in pieces if piece != "<unk>"), "<pad>"]
    vocab_file = directory / "vocab.json"
    vocab_file.write_text(json.dumps({piece: i for i, piece in enumerate(vocabulary)}, ensure_ascii=False))
    return MarianTokenizer(
        *(str(model_file), str(directory / "target.spm"), str(vocab_file)),
        source_lang=languages.source.code,
        target_lang=languages.target.code,
    )
