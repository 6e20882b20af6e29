"""A few hundred cases of each format: ``tools/fuzz_formats.py`` tries as many as it is told."""

import fuzz_documents
import fuzz_formats
import pytest

CASES = 200


@pytest.mark.parametrize("name", fuzz_formats.NAMES)
def test_what_nobody_wrote_is_taken_or_refused_in_one_line(name, tmp_path):
    assert fuzz_formats.fuzz(name, tmp_path, CASES) >= 20


def test_every_format_is_tried(tmp_path):
    assert set(fuzz_documents.formats(tmp_path)) == set(fuzz_formats.NAMES)


def test_a_case_that_is_not_clean_is_noticed():
    with pytest.raises(ZeroDivisionError):
        fuzz_formats.clean(lambda: 1 // 0)
