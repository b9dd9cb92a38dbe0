"""The command line as a user meets it."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polycrine.cli import main

README = Path(__file__).parents[1] / "README.md"
COMMAND = [sys.executable, "-c", "from polycrine.cli import main; main()"]


@pytest.fixture
def polycrine(monkeypatch, capsys, tmp_path):
    """Runs a command in an empty folder; returns its exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["polycrine", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        out, err = capsys.readouterr()
        return exited.value.code or 0, out, err

    return call


def test_the_bare_command_says_what_it_is_in_five_lines(polycrine):
    code, out, _ = polycrine()
    assert code == 0
    assert len(out.splitlines()) == 5


VERBS = [
    "run",
    "sweep",
    "resume",
    "check",
    "new",
    "scenarios",
    "catalogue",
    "sbml",
    "cite",
    "panel",
    "plate",
    "synergy",
    "biomarkers",
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(polycrine, verb):
    code, out, _ = polycrine(verb, "--help")
    assert code == 0
    assert "Usage" in out


def test_a_run_prints_predicted_beside_measured_and_what_to_try_next(polycrine):
    code, out, err = polycrine("run", "endotoxemia", "--for", "6 h", "-q")
    assert code == 0
    assert err == ""
    row = next(line for line in out.splitlines() if line.startswith("TNF"))
    assert "279 (185-515)" in row
    report = Path(re.search(r"Report: (\S+)", out)[1])
    assert report.is_file()
    assert "Next: polycrine run endotoxemia --arm all" in out


def test_an_arm_alone_is_not_set_beside_untreated_people(polycrine):
    code, out, _ = polycrine("run", "endotoxemia", "--arm", "anti-TNF", "--for", "6 h", "-q")
    assert code == 0
    assert "predicted peak" in out
    assert "measured" not in out


def test_a_level_that_still_rises_has_no_ratio(polycrine):
    code, out, _ = polycrine("run", "endotoxemia", "--for", "2 h", "--json", "-q")
    assert code == 0
    ratios = {row["analyte"]: row["ratio"] for row in json.loads(out)["peaks"]}
    assert ratios["TNF"] > 1
    assert ratios["IL6"] is None


def test_a_run_in_json_can_be_read_back_by_panel_and_resume(polycrine):
    code, out, _ = polycrine("run", "endotoxemia", "--for", "1 h", "--arm", "all", "--json", "-q")
    assert code == 0
    folder = json.loads(out)["folder"]
    code, out, _ = polycrine("panel", folder, "--json")
    assert code == 0
    assert {"sample", "time_h", "place", "analyte", "value", "unit", "flag"} == set(
        json.loads(out)[0]
    )
    code, out, _ = polycrine("resume", folder, "--for", "2 h", "-q")
    assert code == 0
    assert "IL-10 knocked out" in out


def test_a_new_model_runs(polycrine):
    assert polycrine("new", "mine.yaml")[0] == 0
    assert polycrine("new", "mine.yaml")[0] == 2
    code, out, _ = polycrine("run", "mine.yaml", "--for", "1 h", "-q")
    assert code == 0
    assert "TNF" in out


def test_knock_outs_are_run_alone_and_in_pairs(polycrine, tmp_path):
    out = tmp_path / "run"
    told = ("--knock-out", "TNF", "--knock-out", "IL10", "--for", "2 h", "-q", "--out", str(out))
    code, text, _ = polycrine("run", "endotoxemia", *told)
    assert code == 0
    assert "without TNF and IL10" in text
    page = (out / "report.html").read_text("utf-8")
    assert "What each does, and who stands in" in page


def test_lists_come_as_tables_and_as_json(polycrine):
    code, out, _ = polycrine("scenarios", "--json")
    names = {"endotoxemia", "il-2-panel", "infection", "lymphoma", "rheumatoid-arthritis"}
    names |= {"b-cell-help", "cytokine-storm", "exercise", "restraint", "th-differentiation"}
    names |= {"neuro-il6", "trauma", "type-2-diabetes", "whole-blood"}
    assert {row["name"] for row in json.loads(out)} == names
    for command in (
        ("catalogue", "list"),
        ("catalogue", "show", "IL-1Ra"),
        ("cite", "endotoxemia"),
        ("check", "whole-blood"),
    ):
        assert polycrine(*command)[0] == 0
        code, out, _ = polycrine(*command, "--json")
        assert code == 0
        assert json.loads(out)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("run", "endotoxaemia"), "Did you mean 'endotoxemia'"),
        (("run", "endotoxemia", "--arm", "IL10 knock out"), "Did you mean 'IL-10 knocked out'"),
        (("run", "nowhere.yaml"), "there is no such file"),
        (("sweep", "il-2-dose"), "Did you mean 'il-2-doses'"),
        (("sweep", "nowhere.yaml"), "there is no such file"),
        (("catalogue", "show", "IL66"), "Did you mean 'IL6'"),
        (("panel", "."), "no finished run"),
        (("resume", "."), "no checkpoint"),
        (("run", "endotoxemia", "--for", "3 kg"), "is a mass"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(polycrine, tmp_path, arguments, says):
    code, _, err = polycrine(*arguments)
    assert code == 2
    assert says in err
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_says_how_its_members_went_and_where_its_report_is(polycrine, tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "sweep: IL-2\nmodel: il-2-panel\narms: [IL-2]\ngrid: {IL2.dose: [0 nM, 0.1 nM, 10 nM]}\n"
    )
    code, out, _ = polycrine("sweep", "plan.yaml", "--out", "doses", "-q", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["status"] == {"done": 3}
    assert Path(told["report"]).is_file()
    code, out, _ = polycrine("sweep", "plan.yaml", "--out", "doses", "-q")
    assert code == 0
    assert "Report: doses/report.html" in out


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_told_to_stop_leaves_a_checkpoint_and_its_signal(tmp_path, sent):
    long = [*COMMAND, "run", "endotoxemia", "--for", "20000 h", "--out", "long"]
    with subprocess.Popen(long, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "long.partial" / "log.jsonl").exists():
            time.sleep(0.05)
            assert process.poll() is None
        process.send_signal(sent)
        error = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + sent
    assert "polycrine resume 'long.partial'" in error
    assert (tmp_path / "long.partial" / "checkpoints" / "latest.npz").is_file()


def test_the_example_of_the_readme_runs(capsys):
    code = re.search(r"```python\n(.*?)```", README.read_text("utf-8"), re.S)[1]
    exec(compile(code, "README.md", "exec"), {})
    assert "pg/mL" in capsys.readouterr().out
