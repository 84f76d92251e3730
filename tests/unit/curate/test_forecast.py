"""What a run's language models may cost in all, by hand."""

from goldsmith.config import GoldsmithConfig
from goldsmith.config.load import load_config
from goldsmith.curate.forecast import forecast


def test_every_budget_of_pairs_times_samples_times_models() -> None:
    config = load_config(
        (),
        [
            'llm.endpoints=[{name = "one", base_url = "http://h/v1", prompt_tokens = 1000, price_prompt_per_million = 1.0},'
            ' {name = "two", base_url = "http://h/v1", price_completion_per_million = 10.0}]',
            "judge.samples=4",
            "judge.probe_pairs=10",
            "judge.max_pairs_per_round=20",
            "judge.max_pairs_stage2=30",
            "rounds.count=2",
            "attributes.llm_pairs=5",
        ],
    )
    # Pairs: 10 of the probe, 20 of the seed and of each of two rounds, 30 of stage 2 = 100; 400 verdicts of each model.
    # Attributes: 5 pairs, by the first model, with 2 x 3,000 prompt tokens and 400 + 60 of reply.
    found = forecast(config)
    assert found.calls == 400 + 400 + 5
    assert found.tokens == 400 * (1000 + 32) + 400 * (6000 + 32) + 5 * (6000 + 460)
    assert abs(found.cost - (400 * 1000 * 1e-6 + 400 * 32 * 10e-6 + 5 * 6000 * 1e-6)) < 1e-9
    assert found.text.startswith("the whole run makes 805 LLM calls at most, with about 2,857,900 tokens and 0.56 in money")


def test_without_models_there_is_nothing_to_pay() -> None:
    found = forecast(load_config((), ["llm.endpoints=[]"]))
    assert (found.calls, found.tokens, found.cost) == (0, 0, 0.0)
    assert forecast(GoldsmithConfig()).cost == 0.0


def test_checks_of_single_replies_count_for_the_models_that_make_them() -> None:
    none = ["judge.probe_pairs=1", "judge.samples=1", "judge.max_pairs_per_round=0", "judge.max_pairs_stage2=0", "rounds.count=2"]
    models = ", ".join(f'{{name = "{name}", base_url = "http://h/v1", prompt_tokens = 1000}}' for name in ("one", "two"))
    settings = [*none, f"llm.endpoints=[{models}]", "verify.max_pairs=5"]
    # One verdict of each model; 5 pairs, two replies each, in the seed's batch and two rounds': 30 checks by one model, or by both.
    assert forecast(load_config((), [*settings, 'verify.models=["two"]'])).calls == 2 + 30
    found = forecast(load_config((), settings))
    assert (found.calls, found.tokens) == (2 + 60, 2 * (1000 + 32) + 60 * (1000 + 160))
