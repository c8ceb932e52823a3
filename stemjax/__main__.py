"""`python -m stemjax doctor`: what is there, what is missing, and the mend."""

import argparse


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m stemjax")
    commands = parser.add_subparsers(dest="command", required=True)
    doctor = commands.add_parser("doctor", help="devices, disk, weights and versions")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()

    from stemjax.doctor import examine, render

    findings = examine()
    if arguments.json:
        import json

        print(json.dumps(findings, indent=2))
    else:
        print(render(findings))


if __name__ == "__main__":
    main()
