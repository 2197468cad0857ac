"""Columns that are encoded by the target: many labels, and texts."""

import json
import math
import random
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ml_template.model import texts
from ml_template.model.encoder import Encoder
from ml_template.pipeline.training import encoding, fit, supervised
from ml_template.settings.config import Config, InputError
from ml_template.tables.arrays import Columns
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import TargetEncoder

N = 3_000
UNICODE = [
    "Straße, STRASSE und Maße!",
    "İstanbul ISPARTA ıslak İİ",
    "café cafe\u0301 naïve Å A\u030a ﬁn ﬁ",
    "مرحبا بالعالم السلام عليكم",
    "我们 在北京 学习 机器学习。北京",
    "हिन्दी में लिखा हुआ पाठ",
    "👩‍👩‍👧 so good 👍🏽👍🏽 so good",
    "a b c dd ee_ff 12 3,4 x²x don't",
    "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ",
    "tab\tnew\nline\u00a0space\u2028end  two",
    "ไม่มีช่องว่าง 𝒳𝒴 ªº Ⅷ ①②",
    "",
    "   ",
    "!!!",
]


def configured(
    columns: dict[str, dict[str, object]], task: str = "binary", **more: object
) -> Config:
    classes = {"binary": ["no", "yes"], "multiclass": ["a", "b", "c"], "regression": []}[task]
    positive = "yes" if task == "binary" else None
    data = {"path": "x.csv", "target": "y", "task": task, "classes": classes, "positive": positive}
    return Config.model_validate({"data": data, "columns": columns, **more})


def postcodes(seed: int = 0, labels: int = 300) -> Columns:
    draw = np.random.default_rng(seed)
    effects, at = draw.normal(size=labels), draw.integers(0, labels, N)
    names = np.array([f"{10_000 + code}" for code in range(labels)] + [None], dtype=object)
    at = np.where(draw.random(N) < 0.05, labels, at)
    level = np.append(effects, 2.0)[at] + 0.3 * draw.normal(size=N)
    marks = {"y": level, "binary": np.where(level > 0, "yes", "no").astype(object)}
    marks["multiclass"] = np.array(["a", "b", "c"], object)[np.digitize(level, [-0.5, 0.5])]
    return {"zip": names[at], "size": draw.normal(size=N), **marks}


def fitted(config: Config, columns: Columns, how: str = "ordinal") -> tuple[Encoder, np.ndarray]:
    learned = supervised.learn(config, columns, how)  # type: ignore[arg-type]
    encoder = encoding.fit(columns, list(config.features), set(), how, learned)  # type: ignore[arg-type]
    again = Encoder(**json.loads(json.dumps(encoder.to_json())))
    return again, supervised.training_matrix(encoder, columns, learned)


ZIP = {"zip": {"type": "categorical", "missing": True, "encoding": "target"}}


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("how", ["ordinal", "onehot"])
def test_a_row_is_encoded_as_in_the_table_to_the_last_bit(task: str, how: str) -> None:
    columns = postcodes()
    columns["y"] = columns.get(task, columns["y"])
    encoder, _ = fitted(configured(ZIP | {"size": {"type": "numeric"}}, task), columns, how)
    batch = encoder.apply(columns)
    assert batch.shape == (N, (3 if task == "multiclass" else 1) + 1)
    for at in range(40):
        row = encoder.apply({name: values[at : at + 1] for name, values in columns.items()})
        np.testing.assert_array_equal(row[0].view("u8"), batch[at].view("u8"))


def test_a_label_is_the_mean_that_scikit_learn_gives_it_and_what_is_unknown_the_mean_of_all() -> (
    None
):
    columns = postcodes()
    codes = np.unique(columns["zip"].astype(str), return_inverse=True)[1]
    draw = supervised.smoothing(codes, columns["y"])
    other = TargetEncoder(smooth=draw, target_type="continuous", categories="auto")
    expected = other.fit(codes[:, None], columns["y"]).transform(codes[:, None])
    encoder, _ = fitted(configured(ZIP, "regression"), columns)
    np.testing.assert_allclose(encoder.apply(columns), expected, rtol=1e-12)
    asked = {"zip": np.array(["never seen", "10001.0", "10001"], dtype=object)}
    answers = encoder.apply(asked)[:, 0]
    assert answers[0] == pytest.approx(columns["y"].mean(), rel=1e-12)
    assert answers[1] == answers[2] != answers[0]


def test_the_smoothing_is_the_noise_of_a_row_by_what_labels_differ() -> None:
    draw = np.random.default_rng(0)
    codes = np.repeat(np.arange(2_000), 10)
    values = 0.5 * draw.normal(size=2_000)[codes] + 2.0 * draw.normal(size=20_000)
    assert supervised.smoothing(codes, values) == pytest.approx(16, rel=0.15)  # 2.0**2 / 0.5**2
    assert supervised.smoothing(codes, draw.normal(size=20_000)) > 500
    assert supervised.smoothing(np.arange(50), draw.normal(size=50)) == 50


def test_labels_without_meaning_teach_a_training_nothing() -> None:
    columns = postcodes()
    columns["y"] = np.random.default_rng(5).normal(size=N)
    columns["zip"] = np.array([f"k{at // 2}" for at in range(N)], dtype=object)
    encoder, matrix = fitted(configured(ZIP, "regression"), columns)
    assert abs(np.corrcoef(matrix[:, 0], columns["y"])[0, 1]) < 0.1
    assert np.corrcoef(encoder.apply(columns)[:, 0], columns["y"])[0, 1] > 0.3


def test_rows_of_a_group_do_not_tell_of_each_other_where_groups_are_held_out() -> None:
    columns = postcodes()
    columns["who"] = np.array([f"p{at // 6}" for at in range(N)], dtype=object)
    columns["zip"] = np.array([f"z{at // 12}" for at in range(N)], dtype=object)
    columns["y"] = np.random.default_rng(1).normal(size=N)[np.arange(N) // 6]
    declared = ZIP | {"who": {"type": "categorical", "feature": False}}
    rows = fitted(configured(declared, "regression"), columns)[1]
    groups = fitted(configured(declared, "regression", split={"group": "who"}), columns)[1]
    assert np.corrcoef(rows[:, 0], columns["y"])[0, 1] > 0.4
    assert np.corrcoef(groups[:, 0], columns["y"])[0, 1] < 0.1


def test_a_label_of_one_row_is_kept_nowhere_and_one_of_two_is() -> None:
    columns = postcodes()
    columns["zip"][:3] = ["alone", "two", "two"]
    state = fitted(configured(ZIP, "regression"), columns)[0].state[0]
    assert "alone" not in state["codes"]
    assert "two" in state["codes"]


def test_equal_seeds_give_equal_columns_and_another_seed_others() -> None:
    columns = postcodes()
    config = configured(ZIP, "regression", seed=1)
    first, again = fitted(config, columns)[1], fitted(config, columns)[1]
    np.testing.assert_array_equal(first, again)
    other = fitted(configured(ZIP, "regression", seed=2), columns)[1]
    assert (first != other).any()


def test_categories_beside_wide_columns_are_found_at_their_place() -> None:
    columns = postcodes() | {"kind": np.array(["u", "v"] * (N // 2), dtype=object)}
    columns["y"] = columns["multiclass"]
    encoder, _ = fitted(configured(ZIP | {"kind": {"type": "categorical"}}, "multiclass"), columns)
    assert encoder.categorical == [3]
    assert encoder.names == ["zip[0]", "zip[1]", "zip[2]", "kind"]


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        ({"type": "numeric", "encoding": "target"}, "target belongs to categorical"),
        ({"type": "categorical", "encoding": "words"}, "words belongs to text"),
        ({"type": "text", "encoding": "target"}, "target belongs to categorical"),
    ],
)
def test_an_encoding_of_another_type_of_column_is_refused(
    column: dict[str, object], fault: str
) -> None:
    content = {"data": {"path": "x", "target": "y", "task": "regression"}, "columns": {"x": column}}
    with pytest.raises(InputError, match=fault):
        Config.checked(Path("model_config.yaml"), content)


def test_a_configuration_without_an_encoding_is_written_as_before() -> None:
    config = configured({"zip": {"type": "categorical"}})
    assert "encoding" not in config.model_dump(mode="json")["columns"]["zip"]


@pytest.mark.parametrize("unit", ["words", "characters"])
def test_terms_and_their_weights_are_those_of_scikit_learn_on_any_script(unit: texts.Unit) -> None:
    vectorizer = TfidfVectorizer(
        analyzer=supervised.ANALYZERS[unit], ngram_range=texts.LENGTHS[unit], sublinear_tf=True
    )
    expected = vectorizer.fit_transform(UNICODE).toarray()
    names = vectorizer.get_feature_names_out().tolist()
    found_terms = {term for text in UNICODE for term in texts.GRAMS[unit](text)}
    assert {t if isinstance(t, str) else " ".join(t) for t in found_terms} == set(names)
    for at in range(0, len(names), 40):  # a score that is the value of one term
        terms = {
            term: [idf, float(place == at)]
            for place, (term, idf) in enumerate(zip(names, vectorizer.idf_, strict=True))
        }
        state = {"unit": unit, "terms": terms, "intercepts": [0.0], "missing": [0.5]}
        score = texts.scorer(state)
        found = [score(text)[0] for text in UNICODE]
        np.testing.assert_allclose(found, expected[:, at], rtol=0, atol=1e-12)
        assert score(None) == [0.5]


def plainly(terms: dict[str, list[float]], text: str) -> float:
    """A score as the formula has it: counts of words and of pairs, joined as they are kept."""
    found = re.findall(r"\b\w\w+\b", text.lower())
    counts: dict[str, int] = {}
    for term in found + list(map(" ".join, pairwise(found))):
        if term in terms:
            counts[term] = counts.get(term, 0) + 1
    values = {
        t: (1 + math.log(n)) * terms[t][0] if n > 1 else terms[t][0] for t, n in counts.items()
    }
    length = math.sqrt(math.fsum(value * value for value in values.values()))
    return math.fsum(value * terms[term][1] for term, value in values.items()) / length


def test_texts_of_fifteen_words_and_pairs_have_the_score_of_the_formula_as_it_stands() -> None:
    draw = random.Random(0)
    vocabulary = [f"word{at}" for at in range(2000)]
    asked = [" ".join(draw.choices(vocabulary, k=15)) for _ in range(300)]
    asked += ["twice twice word1 word2 twice twice"]
    pairs = {pair for text in asked for pair in map(" ".join, pairwise(text.split()))}
    known = [*vocabulary, "twice", *sorted(pairs)[::3], "twice twice"]
    terms = {term: [draw.uniform(1, 8), draw.gauss(0, 1)] for term in known}
    state = {"unit": "words", "terms": terms, "intercepts": [0.0], "missing": [0.0]}
    score = texts.scorer(state)
    for text in asked:
        assert score(text)[0] == pytest.approx(plainly(terms, text), rel=1e-12, abs=1e-12)


def messages(seed: int = 0) -> Columns:
    draw = np.random.default_rng(seed)
    vocabulary = [[f"w{at}" for at in range(30)], [f"w{at}" for at in range(20, 50)]]
    kinds = draw.integers(0, 2, N)
    lines = [
        " ".join(draw.choice(vocabulary[kind], 8)) + f" no{at}" for at, kind in enumerate(kinds)
    ]
    texts = np.array(lines, dtype=object)
    texts[draw.random(N) < 0.05] = None
    return {"note": texts, "y": np.array(["no", "yes"], object)[kinds]}


NOTE = {"note": {"type": "text", "missing": True, "encoding": "words"}}


@pytest.mark.parametrize("how", ["ordinal", "onehot"])
def test_a_text_becomes_a_score_that_one_row_has_as_the_table(how: str) -> None:
    columns = messages()
    encoder, matrix = fitted(configured(NOTE), columns, how)
    batch = encoder.apply(columns)
    positive = columns["y"] == "yes"
    assert matrix[positive].mean() > matrix[~positive].mean() + matrix.std()
    assert np.isfinite(batch).all()
    for at in range(40):
        row = encoder.apply({"note": columns["note"][at : at + 1]})
        np.testing.assert_array_equal(row[0].view("u8"), batch[at].view("u8"))


def test_a_score_is_what_scikit_learn_predicts_from_the_same_terms() -> None:
    columns = messages()
    there = columns["note"] != None  # noqa: E711
    encoder, _ = fitted(configured(NOTE), columns)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=10, sublinear_tf=True)
    matrix = vectorizer.fit_transform(columns["note"][there])
    state = encoder.state[0]
    names = vectorizer.get_feature_names_out()
    assert list(state["terms"]) == names.tolist()
    weights = np.array([state["terms"][name][1] for name in names])
    expected = matrix @ weights + state["intercepts"][0]
    np.testing.assert_allclose(encoder.apply(columns)[there, 0], expected, rtol=0, atol=1e-12)


def test_a_term_that_few_rows_have_is_not_kept() -> None:
    columns = messages()
    columns["note"][:10] = "kept " + columns["note"][10:20].astype(str)
    columns["note"][20:29] = "smith " + columns["note"][30:39].astype(str)
    terms = fitted(configured(NOTE), columns)[0].state[0]["terms"]
    assert "kept" in terms
    assert not any("smith" in term for term in terms)


def test_texts_without_a_frequent_term_are_named() -> None:
    columns = messages()
    columns["note"] = np.array([f"only{at}" for at in range(N)], dtype=object)
    with pytest.raises(ValueError, match="'note': none of its words is in 10 training rows"):
        supervised.learn(configured(NOTE), columns, "ordinal")


def test_texts_alone_that_no_one_learns_from_are_named() -> None:
    with pytest.raises(ValueError, match="give one `encoding: words`"):
        encoding.fit(messages(), ["note"], {"note"}, "ordinal")


def test_a_text_of_ten_thousand_marks_is_scored() -> None:
    state = {"unit": "characters", "terms": {}, "intercepts": [0.0], "missing": [0.0]}
    assert math.isfinite(texts.scorer(state)("\u0301" * 10_000)[0])


def test_an_estimator_is_trained_on_the_columns_that_are_cross_fitted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    class Seeing(Ridge):
        def fit(self, matrix: np.ndarray, truth: np.ndarray) -> "Seeing":
            seen.append(matrix)
            return super().fit(matrix, truth)  # type: ignore[no-any-return]

    monkeypatch.setattr(fit, "function", lambda _: lambda config: Seeing())
    columns = postcodes()
    config = configured(ZIP | {"size": {"type": "numeric"}}, "regression")
    encoder, _ = fit.fit(config, columns)
    np.testing.assert_array_equal(seen[0], fitted(config, columns, "onehot")[1])
    assert abs(seen[0][:, 0] - encoder.apply(columns)[:, 0]).max() > 0.1
    np.testing.assert_array_equal(seen[0][:, 1], encoder.apply(columns)[:, 1])


def test_texts_that_one_group_alone_has_are_encoded_where_groups_are_held_out() -> None:
    columns = messages()
    columns["shop"] = np.array([f"s{at % 7}" for at in range(N)], dtype=object)
    columns["note"] = np.where(columns["shop"] == "s0", columns["note"], None)
    declared = NOTE | {"shop": {"type": "categorical", "feature": False}}
    encoder, matrix = fitted(configured(declared, split={"group": "shop"}), columns)
    assert np.isfinite(matrix).all()
    absent = encoder.apply({"note": np.array([None], dtype=object)})[0, 0]
    assert absent == pytest.approx((columns["y"] == "yes").mean(), abs=0.02)
