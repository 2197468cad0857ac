"""What a model predicts and how good it is, in one sentence for people who build none."""

from __future__ import annotations

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
        "regression": _amount(config),
    }[data.task]


def _amount(config: Config) -> str:
    quantile, target = config.model.quantile, config.data.target
    if quantile is None:
        return f"the value of {target}"
    return f"the {target} that {100 * quantile:g} of 100 rows stay below"


def _auc(config: Config, value: float, naive: float | None) -> str:
    if config.data.task == "multiclass":
        return (
            f"of a row of a class and a row of another it knows in {100 * value:.0f} of 100 cases "
            f"which is which; a guess does in 50"
        )
    return (
        f"of two rows, one with {config.data.positive} and one without, it gives the right one the "
        f"higher probability in {100 * value:.0f} of 100 cases; a guess does in 50"
    )


def _share(config: Config, value: float, naive: float | None) -> str:
    least = "" if naive is None else f"; always the usual answer is right in {100 * naive:.0f}"
    return f"it is right in {100 * value:.0f} of 100 rows{least}"


def _explained(config: Config, value: float, naive: float | None) -> str:
    return f"it explains {100 * value:.0f} % of what makes rows differ; the mean explains none"


_WORDS = {"roc_auc": _auc, "roc_auc_ovr": _auc, "accuracy": _share, "r2": _explained}


def _unit(config: Config, evaluation: Evaluation) -> str:
    """The usual error of a regression, in the unit of its target."""
    if config.model.quantile is not None:
        share = evaluation["metrics"]["coverage"]["value"]
        return f" On the hold-out {100 * share:.0f} of 100 rows stay below the answer."
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
        f" From probability {value:.3g} on it answers {positive}: of 100 rows that are it finds "
        f"{100 * values['recall']:.0f}; of 100 that it answers so {100 * values['precision']:.0f} "
        f"are{paid}."
    )
