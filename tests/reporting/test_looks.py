from frostline.reporting.look_count import Looks
from frostline.reporting.recommendation import why_not_first
from frostline.reporting.report_folder import write_folder
from frostline.reporting.select import select
from frostline.stats.rules import Rules

PAIR = [
    ({"backbone": "net", "freeze": "2"}, 0.90, 30.0, 2),
    ({"backbone": "net", "freeze": "4"}, 0.60, 10.0, 1),
]


def _looked(looks, records, score="f1_macro"):
    return looks.with_this(select(records, f"val_best/{score}"), Rules(score))


def test_the_same_runs_are_the_same_look_and_a_new_seed_is_another(sweeps):
    records, _ = sweeps.make(PAIR, n_leaves=5, seeds=3)
    two = [run for run in records if run.params["seed"] != "2"]
    first = _looked(Looks(), two)
    assert (first.number, first.is_new) == (1, True)
    again = _looked(Looks([first.current]), list(reversed(two)))
    assert (again.number, again.is_new) == (1, False)
    more = _looked(Looks([first.current]), records)
    assert (more.number, more.is_new) == (2, True)
    before = _looked(Looks([first.current, more.current]), two)
    assert (before.number, before.is_new) == (1, False)
    assert _looked(Looks([first.current]), two, "acc_micro").number == 2


def test_a_page_of_one_seed_is_no_look(sweeps):
    records, _ = sweeps.make(PAIR, n_leaves=5, seeds=1)
    assert not _looked(Looks(), records).is_new
    lone, _ = sweeps.make(PAIR[:1], n_leaves=5, seeds=3)
    assert not _looked(Looks(), lone).is_new


def test_a_later_look_claims_less(sweeps, tmp_path):
    made = sweeps.make(PAIR, n_leaves=80, seeds=3)
    reports = [
        write_folder(*made, Rules(), tmp_path, title="T", looks=Looks([str(k) for k in range(n)]))
        for n in (0, 60)
    ]
    assert [report.verdict.look for report in reports] == [1, 61]
    assert [report.verdict.rows[1].standing for report in reports] == ["worse", "behind"]
    assert "(this is look 61)" not in dict(reports[0].conclusion.paragraphs)["How sure is this"]


def test_why_the_first_run_of_the_table_is_not_recommended(sweeps, tmp_path):
    cells = [PAIR[0], ({"backbone": "net", "freeze": "4"}, 0.9, 1.0, 1)]
    verdict = write_folder(*sweeps.make(cells), Rules(tolerance=0.2), tmp_path, title="T").verdict
    take = verdict.recommended
    (other,) = [row for row in verdict.rows if row is not take]
    assert take.cell.params["freeze"] == "4"
    assert why_not_first(verdict, next(iter(take.cell.run_ids.values()))) == ""
    text = why_not_first(verdict, next(iter(other.cell.run_ids.values())))
    assert text.startswith("The table begins with a run of net freeze=2, not of net freeze=4: ")
    assert why_not_first(None, "x") == ""
