"""The subcommands of `python evaluate.py` by name."""

from typing import Annotated

from tyro.conf import subcommand

from stemjax.eval.commands import arguments as plain
from stemjax.eval.commands import decoding_arguments as decoding
from stemjax.eval.commands import listening_arguments as listening

Command = (
    Annotated[plain.Score, subcommand("score")]
    | Annotated[plain.Fad, subcommand("fad")]
    | Annotated[plain.Mirdd, subcommand("mirdd")]
    | Annotated[plain.PerClip, subcommand("per-clip")]
    | Annotated[plain.Compare, subcommand("compare")]
    | Annotated[plain.Report, subcommand("report")]
    | Annotated[plain.MakeManifest, subcommand("make-manifest")]
    | Annotated[plain.Generate, subcommand("generate")]
    | Annotated[decoding.Sweep, subcommand("sweep")]
    | Annotated[decoding.Tables, subcommand("tables")]
    | Annotated[decoding.Tune, subcommand("tune")]
    | Annotated[listening.Listening, subcommand("listening")]
    | Annotated[listening.Classifier, subcommand("classifier")]
    | Annotated[listening.Gallery, subcommand("gallery")]
    | Annotated[listening.Results, subcommand("results")]
    | Annotated[plain.ContextGain, subcommand("context-gain")]
    | Annotated[plain.CodecTable, subcommand("codec-table")]
    | Annotated[plain.Selftest, subcommand("selftest")]
    | Annotated[plain.ConvertVggish, subcommand("convert-vggish")]
)

# the others write files of their own
WRITES_REPORT = (
    plain.ContextGain,
    plain.CodecTable,
    plain.Compare,
    plain.Fad,
    plain.Mirdd,
    plain.Selftest,
)
