"""What a model predicts and how good it is, in one sentence for people who build none."""

from __future__ import annotations

from ...model import quantiles
from ...model.shapes import Evaluation
from ...outside.numbers import Json, error, number, shown, title
from ...settings.config import Config


def sentence(config: Config, evaluation: Evaluation) -> str:
    """Its headline metric next to the naive model's, in words."""
    name = evaluation["headline"]
    found = evaluation["metrics"][name]
    value, naive = found["value"], evaluation["baseline"].get(name)
    known = _WORDS.get(name)
    if known and value > 0:
        said = known(config, value, naive)
    else:
        kind = "error" if error(name, value) else "value"
        width = found["high"] - found["low"]
        figure = number(shown(name, found)["value"], width)
        said = f"its {title(name)} is {figure}"
        if naive is not None:
            least = number(abs(naive) if kind == "error" else naive, width)
            better = "less" if kind == "error" else "more"
            said += f", that of the naive model {least} ({better} is better)"
    return f"Predicts {_what(config)}: {said}.{_unit(config, evaluation)}"


def _what(config: Config) -> str:
    data = config.data
    return {
        "binary": f"whether {data.target} is {data.positive}",
        "multiclass": f"which of {len(data.labels)} classes {data.target} is",
        "regression": amount(config),
    }[data.task]


def amount(config: Config) -> str:
    quantile, target = config.model.quantile, config.data.target
    if quantile is None:
        return f"the value of {target}"
    return f"the {target} that {100 * quantile:g} of 100 rows stay below"


def _auc(config: Config, value: float, naive: float | None) -> str:
    if config.data.task == "multiclass":
        return (
            f"of a row of a class and a row of another it knows in {_of_100(value)} of 100 cases "
            f"which is which; a guess does in 50"
        )
    return (
        f"of two rows, one with {config.data.positive} and one without, it gives the right one the "
        f"higher probability in {_of_100(value)} of 100 cases; a guess does in 50"
    )


def _of_100(value: float) -> str:
    """How many of 100; neither all nor none where it is not so."""
    near = min(max(100 * value, 1), 99) if 0 < value < 1 else 100 * value
    return f"{near:.0f}"


def _saved(config: Config, value: float, naive: float | None) -> str:
    share = config.model.quantile or 1 / 2
    return (
        f"its misses cost {_of_100(value)} % less than those of always the same answer, where one "
        f"too low costs {share / (1 - share):.3g} times one too high"
    )


def _share(config: Config, value: float, naive: float | None) -> str:
    least = "" if naive is None else f"; always the usual answer is right in {100 * naive:.0f}"
    return f"it is right in {_of_100(value)} of 100 rows{least}"


def _explained(config: Config, value: float, naive: float | None) -> str:
    return f"it explains {_of_100(value)} % of what makes rows differ; the mean explains none"


_WORDS = {
    "roc_auc": _auc,
    "roc_auc_ovr": _auc,
    "accuracy": _share,
    "r2": _explained,
    quantiles.HEADLINE: _saved,
}


def _unit(config: Config, evaluation: Evaluation) -> str:
    """The usual error of a regression, in the unit of its target."""
    if config.model.quantile is not None:
        share = evaluation["metrics"]["coverage"]["value"]
        return f" On the hold-out {_of_100(share)} of 100 rows stay below the answer."
    name = "neg_mean_absolute_error"
    if config.data.task != "regression" or name not in evaluation["metrics"]:
        return ""
    found = evaluation["metrics"][name]
    width = found["high"] - found["low"]
    naive = evaluation["baseline"].get(name)
    least = "" if naive is None else f" (the mean alone: {number(abs(naive), width)})"
    off = number(abs(found["value"]), width)
    return f" It is off by {off} on average{least}, in the unit of {config.data.target}."


def answered(config: Config, identity: Json) -> str:
    """Which class is answered; nothing of a regression."""
    if not config.data.labels:
        return ""
    if "threshold" not in identity:
        return "The most probable class is answered."
    point = identity["threshold"]
    chosen = "" if point["by"].startswith("at ") else f", chosen on training folds by {point['by']}"
    return f"{config.data.positive} is answered from probability {point['value']:.4g} on{chosen}."


def worth(config: Config, evaluation: Evaluation, identity: Json) -> str:
    """What the threshold is worth on the hold-out; nothing where a model has none of its own."""
    if "threshold" not in identity:
        return ""
    values = {name: each["value"] for name, each in evaluation["metrics"].items()}
    cost = values.get("neg_cost")
    paid = "" if cost is None else f"; a row costs {number(abs(cost))} on average"
    positive, value = config.data.positive, identity["threshold"]["value"]
    return (
        f" It answers {positive} from probability {value:.3g} on: so it finds "
        f"{_of_100(values['recall'])} of 100 rows that are {positive}, and of 100 rows that it "
        f"answers {positive} {_of_100(values['precision'])} are{paid}."
    )
