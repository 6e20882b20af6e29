"""A number in a sentence has a true minus, and a word keeps its hyphen."""

import pytest
from one_page import built
from true_minus import with_true_minus


@pytest.mark.parametrize(
    ("text", "set_so"),
    [
        ("-0.62 ± 0.75", "−0.62 ± 0.75"),
        ("-0.24 to -0.05", "−0.24 to −0.05"),
        ("(-1, -.5)", "(−1, −.5)"),
        ("n^-1/2", "n^-1/2"),
        ("muon-2", "muon-2"),
        ("1e-3", "1e-3"),
        ("2019-12", "2019-12"),
        ("16-fold, k-means", "16-fold, k-means"),
    ],
)
def test_only_signs_are_set(text, set_so):
    assert with_true_minus(text) == set_so


def test_what_is_pasted_into_a_sentence_is_set_and_other_words_are_not(tmp_path):
    page, complaints = built(
        tmp_path,
        "true_minus",
        "# Page\n\n[-0.62]{.pasted-text} beside -0.62.\n",
        myst_enable_extensions=["attrs_inline"],
    )
    assert ">−0.62</span> beside -0.62" in page
    assert complaints == ""
