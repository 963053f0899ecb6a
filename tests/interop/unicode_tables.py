"""Makes data/tokenizers/unicode_tables.cpp: what the `tokenizers` library holds of Unicode.

unicode_tables.py FILE
Its parts follow different releases of Unicode (its regular expressions another one than its
decompositions), so every set is asked of the library itself, for every scalar value. Only the
combining classes, which never change once assigned, come from Python, for the characters that the
library reorders. Ends with status 77 where the library is missing.
"""

import sys
import unicodedata

try:
    import tokenizers
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers
except ImportError as error:
    print(f"SKIPPED: {error}: run tools/oracles to make the tables")
    sys.exit(77)

SCALARS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)


def matched(pattern):
    """The characters that a pattern of one character matches."""
    text = "".join(map(chr, SCALARS))
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return [ord(c) for piece, _ in split.pre_tokenize_str(text) for c in piece]


def ranges(members):
    found = []
    for c in members:
        if found and found[-1][1] + 1 == c:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def changed(normalizer):
    """What it makes of each character that it changes."""
    return {c: new for c in SCALARS if (new := normalizer.normalize_str(chr(c))) != chr(c)}


def bert(**options):
    return normalizers.BertNormalizer(**{**dict(clean_text=False, handle_chinese_chars=False,
                                                strip_accents=False, lowercase=False), **options})


def punctuation():
    split = pre_tokenizers.BertPreTokenizer()
    return [c for c in SCALARS if len(split.pre_tokenize_str(f"a{chr(c)}a")) == 3]


def inside_words():
    """What an added token with single_word may not stand beside: another engine's \\w."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.add_tokens([AddedToken("ab", single_word=True)])
    found = tokenizer.encode("".join(f"{chr(c)}ab\n" for c in SCALARS)).offsets
    alone = {begin // 4 for begin, _ in found}
    return [c for i, c in enumerate(SCALARS) if i not in alone]


def combining_classes():
    """(first, last, class) of what the library sorts."""
    nfd, found = normalizers.NFD(), []
    for c in SCALARS:
        kind = unicodedata.combining(chr(c))
        if kind == 0 or nfd.normalize_str(chr(c)) != chr(c):
            continue
        # A mark that sorts behind it (or, for the last class, before it) shows whether it is known.
        text, known = ("\u0345" + chr(c), chr(c) + "\u0345") if kind < 240 else (
            chr(c) + "\u0301", "\u0301" + chr(c))
        if nfd.normalize_str(text) != known:
            assert nfd.normalize_str(text) == text
            continue
        if found and found[-1][1] + 1 == c and found[-1][2] == kind:
            found[-1][1] = c
        else:
            found.append([c, c, kind])
    return found


def decompositions():
    """(character, first, second or 0, whether they compose) such that repeated decomposition of
    `first` gives the library's; Hangul follows from arithmetic."""
    nfd, nfc = normalizers.NFD(), normalizers.NFC()
    full = {c: new for c, new in changed(nfd).items() if c not in HANGUL}
    of_text, rows = {}, []
    for c, new in full.items():
        of_text.setdefault(new, []).append(c)
    for c, new in sorted(full.items()):
        composes = nfc.normalize_str(chr(c)) == chr(c)
        if len(new) == 1:
            rows.append((c, ord(new), 0, 0))
            continue
        head = nfc.normalize_str(new[:-1]) if composes else new[:-1]
        if len(head) > 1:
            head = chr(of_text[head][0])
        assert len(head) == 1 and full.get(ord(head), head) == new[:-1], hex(c)
        if composes:
            assert nfc.normalize_str(head + new[-1]) == chr(c), hex(c)
        rows.append((c, ord(head), ord(new[-1]), int(composes)))
    return rows


def lower_case():
    """(first, last, step, difference); the one with two characters is left to the code."""
    found = []
    for c, new in changed(normalizers.Lowercase()).items():
        if len(new) != 1:
            assert (c, new) == (0x130, "i\u0307")
            continue
        difference = ord(new) - c
        last = found[-1] if found else None
        if last and last[3] == difference and c - last[1] in (1, 2) and (
                last[0] == last[1] or c - last[1] == last[2]):
            last[2] = c - last[1]
            last[1] = c
        else:
            found.append([c, c, 1, difference])
    return found


def array(name, kind, rows):
    lines, line = [], " "
    for row in rows:
        text = " {" + ", ".join(f"0x{n:X}" if n > 9 else str(n) for n in row) + "},"
        if len(line) + len(text) > 99:
            lines.append(line)
            line = " "
        line += text
    return "\n".join([f"constexpr {kind} {name}[] = {{", *lines, line, "};"])


def main():
    cleaned = changed(bert(clean_text=True))
    spaces = {c for c, new in cleaned.items() if new == " "} | {0x20}
    assert spaces == {c for c in matched(r"\s") if cleaned.get(c) != ""}
    chinese = changed(bert(handle_chinese_chars=True))
    sets = {
        "kLetters": matched(r"\p{L}"),
        "kNumbers": matched(r"\p{N}"),
        "kSpaces": matched(r"\s"),
        "kWordCharacters": matched(r"\w"),
        "kInsideWords": inside_words(),
        "kPunctuation": punctuation(),
        "kNonspacingMarks": [c for c, new in changed(bert(strip_accents=True)).items()
                             if new == ""],
        "kMarks": [c for c, new in changed(normalizers.StripAccents()).items() if new == ""],
        "kCleanedAway": [c for c, new in cleaned.items() if new == ""],
        "kChinese": list(chinese),
    }
    assert all(new == f" {chr(c)} " for c, new in chinese.items())
    assert all(new in ("", " ") for new in cleaned.values())
    parts = [array(name, "ScalarRange", ranges(members)) for name, members in sets.items()]
    parts.append(array("kCombiningClasses", "CombiningClass", combining_classes()))
    parts.append(array("kDecompositions", "Decomposition", decompositions()))
    parts.append(array("kLowerCase", "LowerCase", lower_case()))
    body = "\n\n".join(parts)
    names = [*sets, "kCombiningClasses", "kDecompositions", "kLowerCase"]
    fields = ",\n      ".join(", ".join(names[at:at + 4]) for at in range(0, len(names), 4))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(f"""\
// Generated by tests/interop/unicode_tables.py from tokenizers {tokenizers.__version__}.
// clang-format off
#include "data/tokenizers/unicode_tables.h"

namespace adjoint::data {{
namespace {{

{body}

}}  // namespace

const UnicodeTables& unicode_tables() {{
  static constexpr UnicodeTables tables{{
      {fields}}};
  return tables;
}}

}}  // namespace adjoint::data
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
