"""What the shop says for itself, as the one kind of file that Adyen takes for it: a PDF."""

from fpdf import FPDF
from fpdf.enums import XPos, YPos

from domain.dispute import DisputeEvidence

_ENCODING = "windows-1252"
_HEADINGS = (
    ("explanation", "Explanation"),
    ("product_description", "What was sold"),
    ("tracking_carrier", "Carrier"),
    ("tracking_number", "Tracking number"),
    ("customer_communication", "What the customer wrote"),
    ("refund_policy", "Refund policy"),
)


class UnprintableError(Exception):
    """The evidence has letters that a PDF cannot show without a font of its own; `letters` are the first of them."""

    def __init__(self, letters: str) -> None:
        super().__init__(f"no letters for {letters}")
        self.letters = letters


def rendered(evidence: DisputeEvidence, title: str) -> bytes:
    """The PDF. Raises UnprintableError: what is left out or written otherwise would no longer be what the shop said.

    Every reader has the fonts used here, for the letters of western Europe; others would have to be shipped with us.
    """
    said = [(heading, text) for name, heading in _HEADINGS if (text := getattr(evidence, name))]
    _check(title + "".join(text for _, text in said))
    paper = FPDF(format="A4")
    paper.core_fonts_encoding = _ENCODING
    paper.set_title(title)
    paper.add_page()
    paper.set_font("Helvetica", style="B", size=14)
    _write(paper, 8, title)
    for heading, text in said:
        paper.ln(4)
        paper.set_font("Helvetica", style="B", size=11)
        _write(paper, 6, heading)
        paper.set_font("Helvetica", size=10)
        _write(paper, 5, text)
    return bytes(paper.output())


def _write(paper: FPDF, height: float, text: str) -> None:
    paper.multi_cell(0, height, text, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _check(text: str) -> None:
    wrong = [letter for letter in dict.fromkeys(text) if not _printable(letter)]
    if wrong:
        raise UnprintableError("".join(wrong[:10]))


def _printable(letter: str) -> bool:
    try:
        letter.encode(_ENCODING)
    except UnicodeEncodeError:
        return False
    return letter.isprintable() or letter in "\n\r\t"
