"""Files that are refused before anything runs: one line that names file, key, value and remedy."""

import os

import pytest
from sweep_file import FILE, RULES, STEPS

from specmup.__main__ import main
from specmup.runs.results import load
from specmup.sweeps import configuration
from specmup.sweeps.configuration import sweep_from

WIDTHS, RATES = "widths = [8, 16]", "log2_lr = [-8, -6, -4]"
STD, BETAS, SEEDS = "std = 0.1", "betas = [0.9, 0.95]", "seeds = [0]"
CONTEXT = "context = 8"
MOMENTUM = "momentum = 0.9"
NAME, SOURCE = 'name = "tiny"', 'source = "counting"'
MUON = 'optimizers = ["adamw"]'
HUGE = "9" * 400
# What is changed in the file, into what, and what its refusal says.
ODD = [
    # Other types.
    (WIDTHS, "depths = 4", "grid 1, depths is 4: give a list"),
    (WIDTHS, 'widths = "8"', "grid 1, widths is '8': give a list"),
    (WIDTHS, "widths = [8.5]", "grid 1, widths, 0 is 8.5: give an integer"),
    (WIDTHS, "widths = [[8]]", "grid 1, widths, 0 is [8]: give an integer"),
    (WIDTHS, "widths = [true]", "grid 1, widths, 0 is True: give an integer"),
    (SEEDS, "seeds = 3", "grid 1, seeds is 3: give a list"),
    (SEEDS, 'seeds = "012"', "grid 1, seeds is '012': give a list"),
    (SEEDS, "seeds = [0.5]", "grid 1, seeds, 0 is 0.5: give an integer"),
    (SEEDS, 'seeds = ["a"]', "grid 1, seeds, 0 is 'a': give an integer"),
    (SEEDS, "seeds = [1979-05-27]", "grid 1, seeds, 0 is datetime.date(1979, 5, 27): give"),
    (SEEDS, "weight_decay = 0.1", "grid 1, weight_decay is 0.1: give a list"),
    (SEEDS, "model = 3", "grid 1, model is 3: give a table"),
    (SEEDS, "training = []", "grid 1, training is []: give a table"),
    (SEEDS, 'extend = "2"', "grid 1, extend is '2': give an integer"),
    (RATES, "log2_lr = -8", "grid 1, log2_lr is -8: give a list"),
    (RATES, 'log2_lr = ["-8"]', "grid 1, log2_lr, 0 is '-8': give a number"),
    (RULES, 'rules = "k2"', "grid 1, rules is 'k2': give a list"),
    (RULES, "rules = [2]", "grid 1, rules, 0 is 2: give a text in quotes"),
    (STEPS, "steps = 250.5", "training, steps is 250.5: give an integer"),
    (STEPS, 'steps = "250"', "training, steps is '250': give an integer"),
    (STEPS, "steps = true", "training, steps is True: give an integer"),
    (STD, 'std = "0.02"', "base, std is '0.02': give a number or a table of numbers"),
    (STD, "std = true", "base, std is True: give a number or a table of numbers"),
    (STD, "std = { hidden = [1] }", "base, std is {'hidden': [1]}: give a number"),
    (NAME, "name = 3", "name is 3: give a text in quotes"),
    ("context = 8", 'context = 8\ntied = "false"', "model, tied is 'false': give true or false"),
    ("context = 8", 'context = 8\nbias = "no"', "model, bias is 'no': give true or false"),
    (BETAS, "betas = 1979-05-27", "adamw, betas is datetime.date(1979, 5, 27): give a number,"),
    (BETAS, "betas = [true, 0.95]", "adamw, betas, 0 is True: give a number or a text"),
    (BETAS, "betas.a" + ".a" * 2000 + " = 1", "adamw, betas is {'a': {'a': "),
    (MOMENTUM, "momentum = true", "muon, momentum is True: give the like of 0.95"),
    (MOMENTUM, "nesterov = 1", "muon, nesterov is 1: give the like of true"),
    (BETAS, "betas = [0.9]", "adamw, betas is [0.9]: give the like of [0.9, 0.999]"),
    (BETAS, "betas = []", "adamw, betas is []: give the like of [0.9, 0.999]"),
    (BETAS, "betas = 0.9", "adamw, betas is 0.9: give the like of [0.9, 0.999]"),
    (BETAS, "betas = [0.9, 0.95, 0.99]", "give the like of [0.9, 0.999]"),
    (BETAS, 'betas = "high"', "adamw, betas is 'high': give the like of [0.9, 0.999]"),
    (BETAS, 'betas = ["a", 0.9]', "adamw, betas is ['a', 0.9]: give the like of [0.9, 0.999]"),
    (MOMENTUM, 'momentum = "0.9"', "muon, momentum is '0.9': give the like of 0.95"),
    (MOMENTUM, "companion = { betas = [0.9] }", "companion, betas is [0.9]: give the like of"),
    (MOMENTUM, "companion = 1", "optimizers, muon, companion is 1: give a table"),
    # Out of range, and no numbers.
    (STD, "std = -1", "base, std is -1: give a number > 0.0"),
    (STD, "std = 0", "base, std is 0: give a number > 0.0"),
    (STD, "std = nan", "base, std is nan: give a number > 0.0"),
    (STD, "std = inf", "base, std is inf: give a number <="),
    (STD, f"std = {HUGE}", "base, std is 99999"),
    (STD, "std = 0.1\nepsilon = -1", "base, epsilon is -1: give a number >= 0.0"),
    (STEPS, "steps = 0", "steps is 0: give at least 1"),
    (STEPS, f"steps = {HUGE}", "give an integer <= 1000000000"),
    (STEPS, "steps = 0x" + "f" * 9000, "training, steps is a huge integer: give an integer"),
    (STEPS, "steps = 4\nfloor = nan", "training, floor is nan: give a number >="),
    (STEPS, "steps = 4\nfloor_rate = nan", "training, floor_rate is nan: give a number >="),
    (STEPS, "steps = 4\nfloor = 2", "floor is 2: give a fraction of the rate"),
    (STEPS, "steps = 4\nwarm_up = 5", "warm_up is 5: give 0 to steps = 4"),
    (STEPS, "steps = 4\nclip = inf", "training, clip is inf: give a number <="),
    (STEPS, "steps = 4\nfloor = 0.1\nfloor_rate = 0.1", "floor and floor_rate: give one of them"),
    (RATES, "log2_lr = [2000]", "grid 1, log2_lr, 0 is 2000: give a number <= 127"),
    (RATES, "log2_lr = [nan]", "grid 1, log2_lr, 0 is nan: give a number"),
    (RATES, "log2_lr = [0.001, 0.01]", "log2_lr is [0.001, 0.01]: give logarithms to base 2"),
    (RATES, "log2_lr = [-4, -6]", "log2_lr is [-4, -6]: give numbers that increase"),
    (RATES, "log2_lr = [-6, -6]", "log2_lr is [-6, -6]: give numbers that increase"),
    (RATES, "log2_lr = [-6]\nextend = 2", "extend is 2 with 1 rates: give three rates"),
    (RATES, "log2_lr = []", "grid 1, log2_lr is []: give a list of length >= 1"),
    (SEEDS, "weight_decay = [-1]", "grid 1, weight_decay, 0 is -1: give a number >= 0.0"),
    (SEEDS, "weight_decay = [nan]", "grid 1, weight_decay, 0 is nan: give a number"),
    (SEEDS, "seeds = []", "grid 1, seeds is []: give a list of length >= 1"),
    (SEEDS, "seeds = [-1]", "grid 1, seeds, 0 is -1: give an integer >= 0"),
    (SEEDS, f"seeds = [{2**63 - 1}]", "give an integer <= 4294967295"),
    (SEEDS, "seeds = [1, 1]", "grid 1: seeds is [1, 1]: give each value once"),
    (SEEDS, f"seeds = {list(range(50_001))}", "ask for 300006 runs: split them"),
    (WIDTHS, "widths = [8, 8]", "grid 1: widths is [8, 8]: give each value once"),
    (WIDTHS, "widths = []", "there are no widths and no depths: give one of them"),
    (WIDTHS, "widths = [10]", "width 10 is not divisible by head_dimension 4: take a multiple"),
    (WIDTHS, "depths = [1000000000000]", "grid 1, depths, 0 is 1000000000000: give an integer"),
    ("vocabulary = 16", "vocabulary = 0", "text, vocabulary is 0: give an integer >= 1"),
    # Names.
    (NAME, 'name = "A B"', "name is 'A B': give a text in quotes of lower-case letters"),
    (NAME, 'name = "../../evil"', "name is '../../evil': give a text"),
    (NAME, 'name = "/tmp/evil"', "name is '/tmp/evil': give a text"),
    (NAME, 'name = "tiny\\n"', "name is 'tiny\\n': give a text"),
    (NAME, 'name = ""', "name is '': give a text"),
    (NAME, f'name = "{"a" * 300}"', "give a text in quotes of length <= 100"),
    ('scale = "quick"', 'scale = "huge"', "scale is 'huge': choose one of quick, reference, gpu"),
    (SOURCE, 'source = "/data/text"', "text, source is '/data/text': give a text in quotes that"),
    (SOURCE, 'source = "king-jams"', "text, source is 'king-jams': did you mean king-james?"),
    (SOURCE, 'source = "king-james"', "text, vocabulary is 16: king-james is encoded in 256"),
    (RULES, f'rules = ["{"k" * 300}"]', "grid 1, rules, 0 is 'kkk"),
    (NAME, f"{NAME}\n{'k' * 300} = 1", "the file takes no kkk"),
    (RULES, 'rules = ["mup"]', "unknown rule 'mup': choose among sp, k1, k2"),
    (RULES, 'rules = ["k2", "k2"]', "rules is ['k2', 'k2']: give each value once"),
    (MUON, 'optimizers = ["adam"]', "unknown optimizer 'adam': choose one of sgd, adamw"),
    (MUON, 'optimizers = ["Muon"]', "optimizer 'Muon': a file writes it 'muon'"),
    ("[optimizers.muon]", "[optimizers.MUON]", "optimizers, MUON: a file writes it 'muon'"),
    ("[optimizers.muon]", "[optimizers.adam]", "unknown optimizer 'adam': choose one of sgd"),
    ("context = 8", 'context = 8\nnormalisation = "rms"', "unknown normalisation 'rms': choose"),
    (CONTEXT, 'context = 8\nkind = "bert"', "unknown kind of model 'bert': choose one of"),
    (CONTEXT, "context = 8\ngroup = 2", "a gpt has no group: it takes vocabulary"),
    (CONTEXT, 'context = 8\nkind = "llama"\ngroup = 3', "2 heads do not fall into groups of 3"),
    (CONTEXT, 'context = 8\nkind = "llama"\nexpansion = 0', "model, expansion is 0: give an"),
    (CONTEXT, 'context = 8\nkind = "llama"\nbias = true', "a llama has no bias: it takes"),
    # Keys.
    (BETAS, "bettas = [0.9, 0.95]", "adamw takes no bettas (= [0.9, 0.95]): did you mean betas?"),
    (BETAS, "beta = 0.9", "optimizers, adamw takes no beta (= 0.9): did you mean betas?"),
    (BETAS, "lr = 0.9", "optimizers, adamw takes no lr (= 0.9)"),
    (BETAS, "companion = {}", "optimizers, adamw takes no companion (= {})"),
    (MOMENTUM, "companion = { nesterov = true }", "muon, companion takes no nesterov (= True)"),
    (STEPS, "step = 4", "training takes no step (= 4): did you mean steps?"),
    (STD, "sigma = 0.1", "base takes no sigma (= 0.1): it takes width, depth, std, epsilon"),
    (STD, "", "base lacks std: give it"),
    (STEPS, "", "[training] lacks steps: give it"),
    ("context = 8", "", "[model] lacks context: give it"),
    (SEEDS, "lr = [1]", "grid 1 takes no lr (= [1]): it takes rules"),
    (NAME, NAME + "\ncolour = 1", "the file takes no colour (= 1): it takes name, scale"),
    # Wrong nesting.
    ("[[grid]]", "[grid]", "grid is one table: write [[grid]]"),
    ("[[grid]]", "[[grids]]", "the file takes no grids"),
    ("[[grid]]", "[grid.grid]", "grid is one table: write [[grid]]"),
    ("[optimizers.adamw]", "[optimizers]", "optimizers is {'betas': [0.9, 0.95]"),
    (BETAS, "betas = " + "[" * 3000 + "]" * 3000, "is not TOML"),
    # What only the plan or the libraries know.
    (STD, "std = { hiden = 0.1 }", "base, std is {'hiden': 0.1}: a small model cannot be trained"),
    (STD, "std = {}", "base, std is {}: a small model cannot be trained so: the base's initial"),
    (STD, "std = { hidden = 0.1 }", "std=…, with a key for its role or '*' if it is"),
    (STD, "std = 0.1\nepsilon = { hiden = 1e-8 }", "base, epsilon is {'hiden': 1e-08}: a small"),
    (BETAS, "betas = [2.0, 0.95]", "optimizers, adamw, betas is [2.0, 0.95]: a small model"),
    (BETAS, "betas = [nan, 0.95]", "optimizers, adamw, betas is [nan, 0.95]: give finite numbers"),
    # No TOML.
    (FILE, "name = ", "odd.toml is not TOML: "),
    (FILE, "", "the file lacks name: give it"),
    (NAME, f"{NAME}\n{NAME}", "odd.toml is not TOML: "),
]


def refused(path, capsys) -> str:
    """The line with which a dry run leaves."""
    with pytest.raises(SystemExit) as stopped:
        main(["sweep", "run", str(path), "--dry-run"])
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out, printed.err.count("\n")) == (2, "", 1), printed.err
    assert str(path) in printed.err
    assert len(printed.err) < 600
    return printed.err


@pytest.mark.parametrize(("old", "new", "message"), ODD, ids=[f"{n[:40]!r}" for _, n, _ in ODD])
def test_a_file_is_refused_with_one_line(tmp_path, capsys, old, new, message):
    assert FILE.count(old) == 1
    path = tmp_path / "odd.toml"
    path.write_text(FILE.replace(old, new))
    assert message in refused(path, capsys)


def test_a_matrix_optimizer_s_companion_is_tried(tmp_path, capsys):
    path = tmp_path / "odd.toml"
    muon = FILE.replace(MUON, 'optimizers = ["muon"]')
    path.write_text(muon.replace(MOMENTUM, "companion = { betas = [2, 3] }"))
    assert "optimizers, muon, companion is {'betas': [2, 3]}: a small" in refused(path, capsys)


def test_what_is_no_text_file_is_refused(tmp_path, capsys):
    (tmp_path / "latin.toml").write_bytes("# für\n".encode("latin-1") + FILE.encode())
    assert "is not TOML, which is text in UTF-8" in refused(tmp_path / "latin.toml", capsys)
    assert "is no file: name the TOML file of a sweep" in refused(tmp_path, capsys)
    os.mkfifo(tmp_path / "pipe.toml")
    assert "is no file" in refused(tmp_path / "pipe.toml", capsys)
    assert "there is no file" in refused(tmp_path / "none.toml", capsys)


@pytest.mark.parametrize("change", ["", "\ufeff", "\r\n"])
def test_the_file_itself_is_accepted(tmp_path, capsys, change):
    """Also with the mark and the line ends that editors on Windows write."""
    path = tmp_path / "tiny.toml"
    text = FILE.replace("\n", "\r\n") if change == "\r\n" else change + FILE
    path.write_bytes(text.encode())
    assert main(["sweep", "run", str(path), "--dry-run"]) == 0
    assert "no run is finished here yet" in capsys.readouterr().out


def test_a_dry_run_reads_the_text_in_a_folder_that_is_named(tmp_path, capsys):
    path = tmp_path / "tiny.toml"
    path.write_text(FILE)
    with pytest.raises(SystemExit):
        main(["sweep", "run", str(path), "--dry-run", "--text-folder", str(tmp_path / "none")])
    assert "the text 'counting': no token file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["a", "a-b", "a1-2b", "", "A", "a b", "a_b", "-a", "a-", "a--b", "a\n", "ä", "../a"]
)
def test_a_name_is_one_that_results_take(sweeps, tmp_path, name):
    def taken(what, problem):
        try:
            what()
        except ValueError:
            return False
        except problem:
            pass
        return True

    by_results = taken(lambda: load(name, tmp_path), FileNotFoundError)
    assert taken(lambda: sweep_from({**sweeps.configuration, "name": name}), ()) == by_results


def test_the_built_in_text_has_the_name_that_runs_know(monkeypatch):
    from specmup.sweeps import work

    monkeypatch.setattr(work, "king_james", lambda vocabulary: vocabulary)
    assert work.text_of.__wrapped__(configuration.KING_JAMES, 300, 8, None) == 300
