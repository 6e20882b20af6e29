"""What a table's Markdown says: cells, heads, caption, and places that lie under each other."""

import pandas as pd
import pytest

from experiments.reading.tables import decimals_aligned, table, typeset
from specmup.analysis.interval import Interval
from specmup.theory.order import Order
from specmup.theory.rules import parametrization


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Order("-1/2", -1), "$n^{-1/2} L^{-1}$"),
        (Interval(-0.5, -0.6, -0.4), "−0.50\xa0±\xa00.10"),
        (-0.126, "−0.13"),
        (1024, "1,024"),
        (float("nan"), "–"),
        (None, "–"),
        ("muon-kimi", "Muon-Kimi"),
        ("k2", "$k \\ge 2$"),
        ("hidden_bias", "hidden bias"),
        ("-0.62 ± 0.28", "−0.62\xa0±\xa00.28"),
        ("2^-5 to 2^3", "$2^{-5}$ to $2^{3}$"),
        ("$L^{-1/2}$ or -1", "$L^{-1/2}$ or −1"),
        ("a well-known word", "a well-known word"),
        ("0.4 %", "0.4\xa0%"),
        ("a|b", "a\\|b"),
    ],
)
def test_a_cell_is_typeset(value, text: str):
    assert typeset(value) == text


def test_a_small_number_is_no_row_of_noughts():
    assert typeset(1.2e-5, ".1g") == "$1\\cdot 10^{-5}$"
    assert typeset(-130000.0, ".2g") == "−$1.3\\cdot 10^{5}$"
    assert typeset("2.5e-17 (×0.25)") == "$2.5\\cdot 10^{-17}$ (×0.25)"


def test_orders_are_of_ratios_where_that_is_said():
    assert "$r_n^{-1}$" in table(pd.DataFrame({"η": [Order(-1)]}), "C.", ratios=True).data
    assert "$n^{-1}$" in table(pd.DataFrame({"η": [Order(-1)]}), "C.").data


def test_points_lie_under_each_other():
    column = decimals_aligned(["−1.25", "12", "3.5\xa0±\xa00.4", "1.2\xa0±\xa010", "diverges"])
    places = [text.replace("&numsp;", "0").replace("&puncsp;", ".") for text in column]
    assert [text[: text.index("\xa0")] for text in places[:2]] == ["−1.25", "12.00"]
    assert places[2:4] == ["3.50\xa0±\xa000.4", "1.20\xa0±\xa010.0"]
    assert places[0].endswith("\xa00\xa000.0")
    assert column[-1] == "diverges"


def test_a_sign_behind_a_number_moves_no_other():
    assert decimals_aligned(["0.5\xa0?", "0.5"]) == ["0.5\xa0?", "0.5\xa0&numsp;"]


def test_columns_of_whole_numbers_stay_as_they_are():
    assert decimals_aligned(["1", "20"]) == ["1", "20"]


def test_heads_caption_name_and_sides():
    index = pd.MultiIndex.from_tuples([("sgd", "k1"), ("sgd", "k2")], names=["optimizer", "rule"])
    frame = pd.DataFrame({("drift", 16): [1.0, 2.0], ("seen", ""): ["yes", "no"]}, index=index)
    assert table(frame, "What to\n  see.", name="tab-x", specs={("drift", 16): ".0f"}).data == (
        ":::{table} What to see.\n:class: stubs-2\n:name: tab-x\n\n"
        "| optimizer | rule | drift ¦ 16 | seen |\n| --- | --- | ---: | --- |\n"
        "| SGD | $k = 1$ | 1 | yes |\n| SGD | $k \\ge 2$ | 2 | no |\n\n:::"
    )


def test_an_index_that_only_counts_is_left_out_and_one_with_a_name_is_not():
    frame = pd.DataFrame({"a": [1.5, 2.5]})
    assert "| a |\n" in table(frame, "C.").data
    assert "| step | a |\n" in table(frame.rename_axis("step"), "C.").data


def test_columns_whose_index_has_a_name_share_it():
    frame = pd.DataFrame([[1, 2]], index=["x"], columns=pd.Index([64, 1024], name="width"))
    assert "|  | width ¦ 64 | width ¦ 1024 |" in table(frame, "C.").data


def test_rows_have_formats_of_their_own_too():
    frame = pd.DataFrame({"x": [1.25, 1.25]}, index=["fine", "rough"])
    assert "| rough | 1&puncsp;&numsp;&numsp; |" in table(frame, "C.", specs={"rough": ".0f"}).data


def test_rules_are_a_table_with_their_notes_below():
    shown, notes = table(parametrization("k1", "adamw"), "AdamW.").data.split("\n:::\n\n")
    assert "| hidden | $r_L^{-1/2}$ | $r_n^{-1}$ |" in shown
    assert "| norm gain\\* |" in shown
    assert notes.startswith("\\* norm gain: ")
