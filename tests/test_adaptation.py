"""What each method trains and what it makes of the checkpoints, on the smallest models."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mt.config import AdaptationConfig, Config, LoraConfig, ModelConfig, TrainingConfig
from mt.errors import ModelError
from mt.files import write_checksums
from mt.models.transformers_model import TransformersTranslator, load_translator
from mt.training import weight_choice
from mt.training.adaptation import prepare_model
from mt.training.averaging import average, interpolate, load_weights, weights_of
from mt.training.dev_evaluation import model_inputs
from mt.training.encoded_pairs import EncodedPairs
from mt.training.encoding import DevSet
from mt.training.loss import logits_of
from mt.training.setup import build_trainer
from mt.training.trainer import TranslationTrainer
from mt.training.weight_choice import WeightChoice, choose_updates, choose_weights
from tests.training_cases import eight_pairs


def trained(model: Path, directory: Path, options: AdaptationConfig, pairs: EncodedPairs | None = None, **more: object):
    """A trainer after twenty updates on eight pairs, without dropout."""
    settings = {"max_updates": 20, "tokens_per_update": 72, "learning_rate": 1e-2, "report_to": []}
    settings |= {"eval_every_updates": 10, "micro_batch_tokens": 72, "epochs": 100, **more}
    training = TrainingConfig(**settings)  # type: ignore[arg-type]
    translator = load_translator(ModelConfig(name=str(model), dropout=0.0))
    pairs = pairs or eight_pairs()
    config = Config(training=training)
    object.__setattr__(config, "adaptation", options)
    torch.manual_seed(0)
    trainer = build_trainer(config, translator, pairs, DevSet(pairs, ["The war"], ["الحرب"]), None, directory)
    trainer.train()
    return trainer


def base_weights(model: Path) -> dict[str, torch.Tensor]:
    return load_translator(ModelConfig(name=str(model))).model.state_dict()


def changed(trainer: TranslationTrainer, model: Path) -> set[str]:
    """Names of the weights that training has changed."""
    before, after = base_weights(model), trainer.model.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name].cpu())}


@pytest.mark.slow
def test_all_weights_are_trained(tmp_path: Path, marian_directory: Path):
    names = changed(trained(marian_directory, tmp_path, AdaptationConfig()), marian_directory)
    still = set(base_weights(marian_directory)) - names
    # Fixed positions and the bias, which is a buffer. Key biases shift all scores alike, so they get no gradient.
    assert {name for name in still if "k_proj.bias" not in name} == {
        *("final_logits_bias", "model.encoder.embed_positions.weight", "model.decoder.embed_positions.weight")
    }


@pytest.mark.slow
def test_frozen_parts_stay(tmp_path: Path, marian_directory: Path):
    names = changed(trained(marian_directory, tmp_path / "a", AdaptationConfig(freeze=["encoder"])), marian_directory)
    assert not any(name.startswith("model.encoder.layers") for name in names)
    assert {"model.shared.weight", "model.decoder.layers.0.fc1.weight"} <= names
    options = AdaptationConfig(freeze=["embeddings"])
    names = changed(trained(marian_directory, tmp_path / "b", options), marian_directory)
    assert not names & {"model.shared.weight", "lm_head.weight", "model.encoder.embed_tokens.weight"}
    assert {"model.encoder.layers.0.fc1.weight", "model.decoder.layers.0.fc1.weight"} <= names


@pytest.mark.slow
def test_lora_trains_beside_the_weights_and_merges(tmp_path: Path, marian_directory: Path):
    trainer = trained(marian_directory, tmp_path, AdaptationConfig(lora=LoraConfig(rank=2, alpha=4, dropout=0.0)))
    checkpoint = tmp_path / "checkpoint-20"
    assert not (checkpoint / "model.safetensors").exists()
    base = load_translator(ModelConfig(name=str(marian_directory)))
    before = {name: weight.clone() for name, weight in base.model.state_dict().items()}
    merged = weights_of(checkpoint, base.model)
    # By hand: what LoRA adds to a weight is alpha ÷ rank × B A.
    matrices = load_file(checkpoint / "adapter_model.safetensors")
    prefix = "base_model.model.model.encoder.layers.0.fc1"
    delta = 4 / 2 * matrices[f"{prefix}.lora_B.weight"] @ matrices[f"{prefix}.lora_A.weight"]
    assert delta.abs().max() > 1e-3
    name = "model.encoder.layers.0.fc1.weight"
    torch.testing.assert_close(merged[name], before[name] + delta)
    torch.testing.assert_close(merged["model.shared.weight"], before["model.shared.weight"])
    # The plain model with the merged weights predicts what the trained one did.
    load_weights(base.model, merged)
    batch = model_inputs(trainer.data_collator([trainer.dev.encoded[i] for i in range(8)]))
    trained_logits = logits_of(trainer.model.get_base_model().eval(), batch)
    torch.testing.assert_close(logits_of(base.model.eval(), batch), trained_logits, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_lora_and_freezing_combine(marian: TransformersTranslator):
    wrapped = prepare_model(marian.model, AdaptationConfig(lora=LoraConfig(rank=2), freeze=["encoder"]))
    names = [name for name, parameter in wrapped.named_parameters() if parameter.requires_grad]
    assert names
    assert all(".decoder.layers." in name and "lora_" in name for name in names)


def test_layers_that_the_model_lacks(marian: TransformersTranslator):
    with pytest.raises(ModelError, match=r"the model has no layer attn; it has .*fc1, fc2, k_proj"):
        prepare_model(marian.model, AdaptationConfig(lora=LoraConfig(layers=["attn"])))


@pytest.mark.slow
def test_divergence_from_the_base_holds_the_model(tmp_path: Path, marian_directory: Path):
    """With the term, the predictions on the general pairs move less; the other pairs are learnt all the same."""
    plain = eight_pairs()
    halves = torch.arange(8) < 4
    general = EncodedPairs([p.source for p in plain.pairs], [p.target for p in plain.pairs], is_general=halves.numpy())
    options = AdaptationConfig(kl_weight=5.0, kl_corpora=["general"])
    base = load_translator(ModelConfig(name=str(marian_directory))).model.eval()
    moved = []
    for name, how in (("free", AdaptationConfig()), ("held", options)):
        trainer = trained(marian_directory, tmp_path / name, how, general)
        batch = model_inputs(trainer.data_collator([general[i] for i in range(4)]))
        before, after = logits_of(base, batch).log_softmax(-1), logits_of(trainer.model.eval(), batch).log_softmax(-1)
        moved.append((before.exp() * (before - after)).sum(-1).mean().item())
    assert moved[1] < moved[0] / 3


def test_average_and_interpolation_by_hand():
    models = [{"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([2.0, 4.0])}, {"w": torch.tensor([6.0, 0.0])}]
    assert average(models)["w"].tolist() == [3.0, 2.0]
    assert interpolate(models[0], models[2], 0.25)["w"].tolist() == [2.25, 1.5]
    assert interpolate(models[0], models[2], 1.0)["w"].tolist() == [6.0, 0.0]


def checkpoints(tmp_path: Path, translator: TransformersTranslator, updates: list[int]) -> Path:
    """Checkpoints in which every weight of the encoder's first layer norm is the number of the update."""
    for update in updates:
        weights = {name: weight.clone() for name, weight in translator.model.state_dict().items()}
        weights["model.encoder.layers.0.final_layer_norm.weight"].fill_(update)
        directory = tmp_path / f"checkpoint-{update}"
        directory.mkdir()
        tied = {"lm_head.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight"}
        save_file({n: w for n, w in weights.items() if n not in tied}, directory / "model.safetensors")
        for name in ("config.json", "trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
            (directory / name).write_text(f'{{"global_step": {update}}}')
        write_checksums(directory)
    return tmp_path


def norm(translator: TransformersTranslator) -> float:
    return float(translator.model.model.encoder.layers[0].final_layer_norm.weight[0].item())


def test_which_checkpoints_are_taken(tmp_path: Path, marian: TransformersTranslator, caplog: pytest.LogCaptureFixture):
    there = checkpoints(tmp_path, marian, [2, 4, 6, 8])
    dev_scores = {2: 10.0, 4: 30.0, 6: 20.0, 8: 30.0}
    assert choose_updates(there, dev_scores, AdaptationConfig()) == [4]  # of equals the earlier
    assert choose_updates(there, dev_scores, AdaptationConfig(average=3)) == [4, 6, 8]
    assert choose_updates(there, dev_scores, AdaptationConfig(average=2, average_of="last")) == [6, 8]
    (there / "checkpoint-4" / "model.safetensors").unlink()
    assert choose_updates(there, dev_scores, AdaptationConfig()) == [8]
    assert "the checkpoint of update 4 cannot be used, model.safetensors is missing" in caplog.text
    with pytest.raises(ModelError, match="no checkpoint is left"):
        choose_updates(tmp_path / "elsewhere", dev_scores, AdaptationConfig())


def choose(
    translator: TransformersTranslator,
    directory: Path,
    options: AdaptationConfig,
    has_general: bool = False,
    before: dict[str, float] | None = None,
) -> WeightChoice:
    dev = DevSet(eight_pairs(), ["dev"], ["x"])
    general = DevSet(eight_pairs(), ["general"], ["x"]) if has_general else None
    config = Config()
    object.__setattr__(config, "adaptation", options)
    return choose_weights(translator, directory, {2: 10.0, 4: 30.0, 6: 20.0}, config, dev, general, before)


def test_averaged_weights_become_the_model(tmp_path: Path, marian: TransformersTranslator):
    there = checkpoints(tmp_path, marian, [2, 4, 6])
    assert choose(marian, there, AdaptationConfig()).updates == [4]
    assert norm(marian) == 4.0
    assert choose(marian, there, AdaptationConfig(average=3)).as_json()["averaged_updates"] == [2, 4, 6]
    assert norm(marian) == 4.0
    choose(marian, there, AdaptationConfig(average=2))
    assert norm(marian) == 5.0


def test_the_share_of_tuned_weights_weighs_gain_against_loss(
    tmp_path: Path, marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch
):
    there = checkpoints(tmp_path, marian, [2, 4, 6])
    with torch.no_grad():
        marian.model.model.encoder.layers[0].final_layer_norm.weight.fill_(0.0)
    base = {name: weight.clone() for name, weight in marian.model.state_dict().items()}
    # By the norm, which is 4 × the share: dev chrF, general chrF.
    known = {0.0: (20.0, 50.0), 1.0: (28.0, 49.5), 2.0: (30.0, 48.0), 4.0: (31.0, 42.0)}

    def scores(translator: TransformersTranslator, dev: DevSet, *, only_this_process: bool) -> dict[str, float]:
        return {"chrF": known[norm(translator)][dev.sources == ["general"]], "BLEU": 0.0}

    monkeypatch.setattr(weight_choice, "score_sample", scores)
    shares = AdaptationConfig(interpolate=[0.25, 0.5])
    assert choose(marian, there, shares, has_general=True).share == 0.5  # 30 - 2 against 28 - 0.5 and 31 - 8
    assert norm(marian) == 2.0
    marian.model.load_state_dict(base)
    dear = AdaptationConfig(interpolate=[0.25, 0.5], forgetting_price=3.0)
    choice = choose(marian, there, dear, has_general=True)
    assert choice.share == 0.25  # 28 - 1.5 against 30 - 6 and 31 - 24
    assert choice.tried[0] == {"share": 0.25, "dev": 28.0, "general": 49.5, "value": 26.5}
    marian.model.load_state_dict(base)
    assert choose(marian, there, shares).share == 1.0  # nothing to forget is known of


def test_a_base_that_is_better_than_every_checkpoint_stays(tmp_path: Path, marian: TransformersTranslator):
    there = checkpoints(tmp_path, marian, [2, 4, 6])
    untrained = norm(marian)
    choice = choose(marian, there, AdaptationConfig(), before={"eval_chrF": 30.5})
    assert norm(marian) == untrained
    assert choice.as_json() == {
        "averaged_updates": [], "tuned_share": 0.0, "tried_shares": [], "model_is_base": True,
    }  # fmt: skip
    assert choice.why_base.startswith(
        "No checkpoint was as good as the base on the dev split (chrF 30.00, the base 30.50), so the model is the base"
    )
    # Of equals the tuned one.
    equal = choose(marian, there, AdaptationConfig(), before={"eval_chrF": 30.0})
    assert (equal.share, equal.why_base, norm(marian)) == (1.0, "", 4.0)


def test_the_base_is_compared_by_loss_where_the_best_is_the_lowest(tmp_path: Path, marian: TransformersTranslator):
    there = checkpoints(tmp_path, marian, [2, 4])
    config, dev = Config(training=TrainingConfig(best_metric="loss")), DevSet(eight_pairs(), ["dev"], ["x"])
    for loss, share in ((3.1, 0.0), (3.2, 1.0), (3.3, 1.0)):
        choice = choose_weights(marian, there, {2: -3.5, 4: -3.2}, config, dev, None, {"eval_loss": loss})
        assert choice.share == share
        assert ("(loss 3.20, the base 3.10)" in choice.why_base) == (share == 0)


def test_the_base_is_compared_with_the_average_itself(
    tmp_path: Path, marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch
):
    """The mean of several checkpoints may be better or worse than each of them."""
    there = checkpoints(tmp_path, marian, [2, 4, 6])
    untrained = norm(marian)
    averaged = AdaptationConfig(average=2)
    monkeypatch.setattr(weight_choice, "score_sample", lambda *_, **__: {"chrF": 31.0, "BLEU": 0.0})
    assert choose(marian, there, averaged, before={"eval_chrF": 30.5}).share == 1.0
    assert norm(marian) == 5.0
    marian.model.model.encoder.layers[0].final_layer_norm.weight.data.fill_(untrained)
    monkeypatch.setattr(weight_choice, "score_sample", lambda *_, **__: {"chrF": 12.0, "BLEU": 0.0})
    choice = choose(marian, there, averaged, before={"eval_chrF": 13.0})
    assert (choice.share, norm(marian)) == (0.0, untrained)
    assert (
        "The average of the checkpoints was not as good as the base on the dev split (chrF 12.00, the base 13.00)"
        in (choice.why_base)
    )


def test_the_base_is_one_of_the_shares(tmp_path: Path, marian: TransformersTranslator, monkeypatch: pytest.MonkeyPatch):
    there = checkpoints(tmp_path, marian, [4])
    marian.model.model.encoder.layers[0].final_layer_norm.weight.data.fill_(0.0)
    known = {0.0: (29.0, 50.0), 2.0: (30.0, 48.0), 4.0: (31.0, 42.0)}

    def scores(translator: TransformersTranslator, dev: DevSet, *, only_this_process: bool) -> dict[str, float]:
        return {"chrF": known[norm(translator)][dev.sources == ["general"]], "BLEU": 0.0}

    monkeypatch.setattr(weight_choice, "score_sample", scores)
    half = AdaptationConfig(interpolate=[0.5])
    choice = choose(marian, there, half, has_general=True, before={"eval_chrF": 29.0})  # 29 against 28 and 23
    assert ([tried["share"] for tried in choice.tried], choice.share, norm(marian)) == ([0.0, 0.5, 1.0], 0.0, 0.0)
    assert choice.why_base.startswith(
        "No share of the tuned weights was, less the price of what is forgotten, as good as the base on the dev split "
        "(chrF 28.00, the base 29.00)"
    )
    assert choose(marian, there, half, before={"eval_chrF": 29.0}).share == 1.0
