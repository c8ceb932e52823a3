"""`stemjax doctor`: the report as JSON and as text."""

import json

from stemjax.cli.tools import doctor


def test_the_report_names_what_is_installed_and_what_is_missing(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "bundled_names", lambda: ["gone"])
    monkeypatch.setattr(doctor, "PACKAGES", ("jax", "no-such-package"))
    doctor.main(["--json"], prog="stemjax doctor")
    report = json.loads(capsys.readouterr().out)
    assert report["packages"]["no-such-package"] == "missing"
    assert report["packages"]["jax"][0].isdigit() and report["devices"]
    assert report["bundled"]["gone"].startswith("broken: ")
    text = doctor.format_report(report)
    assert f"stemjax {report['stemjax']}" in text and "gone" in text
