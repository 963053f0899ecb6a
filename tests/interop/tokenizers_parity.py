"""Tokenizers against the `tokenizers` library, both ways.

tokenizers_parity.py --tool PATH [--text FILE] [--only NAME] [--time] [--golden FILE]
Tokenizers of every kind are made by training with the library; what it makes of texts is compared
with what ours makes of the same tokenizer.json, and of the file that ours writes, which the library
must load: ids, offsets, types and masks, and the text that they decode to. The texts: --text or one
made here, every scalar value, hostile ones (emoji sequences, marks, long runs, what is not UTF-8),
and random ones (all scalar values, and more texts, where ADJOINT_TEST_LONG=1: ten minutes and
more); with special tokens on and off, as pairs, truncated and padded. Then our training against the
library's. --time compares the speed of encoding a text on one thread instead; --golden writes small
tokenizers and what the library makes of texts, for tests/data/tokenizer_test.cpp. Ends with status
77 where the library is missing.
"""

import argparse
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
try:
    import numpy as np
    from tokenizers import (AddedToken, Regex, Tokenizer, __version__, decoders, models,
                            normalizers, pre_tokenizers, processors, trainers)
except ImportError as error:
    print(f"SKIPPED: {error}: run tools/oracles to compare with the tokenizers library")
    sys.exit(77)

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LONG = os.environ.get("ADJOINT_TEST_LONG") == "1"
failures = []
sizes = {"most": 10**9}  # of vocabularies: smaller for golden files


def at_most(size):
    return min(size, sizes["most"])



def expect(ok, what):
    if not ok:
        kind = what.split()[0]
        if sum(failure.split()[0] == kind for failure in failures) < 8:
            print(f"FAILED: {what}")
        failures.append(what)


# Texts.

def training_text():
    """Words in several scripts, for vocabularies that are not only ASCII."""
    rng = random.Random(5)
    words = ("the quick brown fox jumps over lazy dogs it's we'll they've I'm don't HELLO World "
             "naïve café Über straße ŒUVRE łódź Привет мир Ελλάδα 日本語 漢字 한국어 हिन्दी "
             "مرحبا שלום 123 45678 3.14 (a) [b] {c} -- ... ?! &amp; https://example.org/x?y=1 "
             "👍🏽 👩‍👩‍👧 🇩🇪 e\u0301te\u0301 do not cannot hasn't").split()
    return "\n".join(" ".join(rng.choice(words) for _ in range(12)) for _ in range(1500)) + "\n"


def scalar_texts():
    """Every scalar value, one behind the other, and between letters, alone, after a blank, where
    ADJOINT_TEST_LONG=1; else the latter of some that may be special."""
    scalars = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    texts = []
    if LONG:
        texts = ["".join(scalars[at:at + 20000]) for at in range(0, len(scalars), 20000)]
    special = ("Mn", "Po", "Zs", "Nd", "No", "Lu", "Cf")
    some = [c for c in scalars if LONG or (c < "\u3100" and unicodedata.category(c) in special)]
    texts += ["".join(f"a{c}b {c} {c}'s{c}S" for c in some[at:at + 3000])
              for at in range(0, len(some), 3000)]
    return texts


HOSTILE = [
    "", " ", "  ", "\n", "\r\n\r\n", " \n \n  x", "\t\tx  \u00a0 y\u3000z", "a" * 3000, " " * 3000,
    "I'LL it'S we'Re 'ſ x'ſt 'T'D 'VEx", "1234567890 12 3٣٤٥ Ⅷ½²", "\0a\0\u0001\u007f\u0085",
    "👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇩🇪🇫🇷#️⃣ ❤️‍🔥",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
    "e\u0301\u0323 \u0323\u0301e \u1e69 \u0073\u0323\u0307 \uac00\u11a8 \u1100\u1161\u11a8 \u0344",
    "\ufeffBOM \ufffd \ufffe \uffff \U0010ffff \u200b\u200c\u200d\u2028\u2029",
    "ﬁﬂ ﬀ ſt Å Ω K İstanbul ıI ẞ ΑΣ ǅ", "中文字符混合English和123，标点。「」", "ไทยภาษา ລາວ မြန်မာ",
    "\u202eright to left\u202c \u0645\u0631\u062d\u0628\u0627", "a,b.c!d?e;f:g'h\"i-j_k/l\\m|n",
    "x" * 101 + " " + "y" * 100 + " " + "é" * 100 + " " + "é" * 101, "▁▁▁ ▁a ▁ b▁c <0x41> <unk>",
    "a\u0301" * 500, "\u0301" * 1000, "<s> text</s>  <mask>  word<mask>word [CLS][SEP] <|end|>",
    " <s>\n<s> a<s>b <sp> <nrm> NORM norm x norm. éx EX <sp><sp>  <sp>",
]
INVALID = [b"\xff", b"a\x80b", b"\xed\xa0\x80\xed\xb0\x80", b"\xc3", b"\xf0\x9f\x91", b"\xe2\x82 x",
           b"\xf4\x90\x80\x80", b"\xc0\x80ok", b"\xe0\x80\x80", b"caf\xe9 \xf0\x9f\x98\x80\xf0\x9f"]


def random_texts(count, seed):
    rng = random.Random(seed)
    alphabet = list("abcXYZ 019'slv\n\r\t.,!?-_<>/") + [
        "\u00a0", "\u3000", "\u2028", "é", "e\u0301", "\u0323", "\u0307", "ß", "İ", "漢", "▁", "한",
        "👍", "🏽", "\u200d", "ſ", "Ω", "²", "Ⅷ", "٣", "\0", "\x85", "'s", "'LL", "<s>", "</s>",
        "<mask>", "<sp>", "norm", "NORM", "\u1e9b\u0323", "\u0958", "\u2126", "\ufb1d"]
    return ["".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 60)))
            for _ in range(count)]


# Tokenizers.

def added(tokenizer):
    """Added tokens of every kind."""
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False),
                                  AddedToken("<sp>", lstrip=True, rstrip=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("norm", single_word=True, normalized=True),
                          AddedToken("<nrm>", rstrip=True, normalized=True), "éx"])
    return tokenizer


def byte_level(text, pre, post, **options):
    t = Tokenizer(models.BPE(**options))
    t.pre_tokenizer, t.decoder = pre, decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=at_most(1500),
                                  special_tokens=["<s>", "</s>", "<pad>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    t.train_from_iterator([text], trainer)
    t.post_processor = post
    return added(t)


def split_at(pattern):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"),
                                    pre_tokenizers.ByteLevel(False, use_regex=False)])


def template(bos, eos):
    return processors.TemplateProcessing(
        single=f"{bos} $A {eos}", pair=f"{bos} $A {eos} $B:1 {eos}:1",
        special_tokens=[(bos, 0), (eos, 1)])


def edited(tokenizer, change):
    file = json.loads(tokenizer.to_str())
    change(file)
    return Tokenizer.from_str(json.dumps(file))


def llama2(text):
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=at_most(1500), special_tokens=specials, limit_alphabet=80,
        show_progress=False))

    def change(file):
        file["pre_tokenizer"] = None
        file["model"]["byte_fallback"] = True
        file["added_tokens"] = file["added_tokens"][:3]
    t = edited(t, change)
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                   decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return added(t)


def old_bpe(text, **options):
    t = Tokenizer(models.BPE(unk_token="<unk>", **options))
    t.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    t.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    t.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=at_most(900), special_tokens=["<s>", "</s>", "<unk>"], limit_alphabet=60,
        show_progress=False, **{k: v for k, v in options.items() if k == "end_of_word_suffix"}))
    return added(t)


def wordpiece(text, post, **options):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(**options)
    t.pre_tokenizer, t.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    t.train_from_iterator([text], trainers.WordPieceTrainer(
        vocab_size=at_most(1200), special_tokens=["[CLS]", "[SEP]", "[UNK]", "[PAD]"],
        show_progress=False))
    t.post_processor = post
    return added(t)


def unigram(text, normalizer, pre, decoder, byte_fallback=False):
    t = Tokenizer(models.Unigram())
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer, t.decoder = pre, decoder
    specials = ["<unk>", "<s>", "</s>"]
    if byte_fallback:
        specials += [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator([text], trainers.UnigramTrainer(
        vocab_size=at_most(900), special_tokens=specials, unk_token="<unk>",
        show_progress=False))

    def change(file):
        file["model"]["byte_fallback"] = byte_fallback
        file["added_tokens"] = file["added_tokens"][:3]
    t = edited(t, change)
    t.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    return added(t)


def all_tokenizers(text):
    metaspace = pre_tokenizers.Metaspace
    bl = pre_tokenizers.ByteLevel
    n = normalizers
    yield "gpt2", byte_level(text, bl(False), processors.ByteLevel(True))
    yield "gpt2_split", byte_level(text, split_at(GPT2), processors.ByteLevel(False))
    yield "llama3", edited(
        byte_level(text, split_at(LLAMA3),
                   processors.Sequence([processors.ByteLevel(True), template("<s>", "</s>")])),
        lambda file: file["model"].update(ignore_merges=True))
    yield "qwen2", edited(byte_level(text, split_at(QWEN2), processors.ByteLevel(False)),
                          lambda file: file.update(normalizer={"type": "NFC"}))
    yield "roberta", byte_level(text, bl(True), processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), trim_offsets=True, add_prefix_space=True))
    yield "llama2", llama2(text)
    yield "suffix", old_bpe(text, end_of_word_suffix="</w>")
    yield "unknown", old_bpe(text, fuse_unk=False)
    yield "bert", wordpiece(text, processors.BertProcessing(("[SEP]", 1), ("[CLS]", 0)))
    yield "bert_cased", wordpiece(text, template("[CLS]", "[SEP]"), lowercase=False)
    yield "bert_plain", wordpiece(text, None, lowercase=True, strip_accents=False,
                                  clean_text=False, handle_chinese_chars=False)
    yield "unigram", unigram(text, None, metaspace(), decoders.Metaspace())
    yield "t5", unigram(text, n.Sequence([n.NFD(), n.StripAccents(), n.Lowercase()]),
                        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace()]),
                        decoders.Metaspace())
    yield "bytes", unigram(text, n.NFD(), metaspace(prepend_scheme="first"),
                           decoders.Sequence([decoders.Replace("▁", " "),
                                              decoders.ByteFallback(), decoders.Fuse()]), True)
    yield "whole", unigram(text, n.Replace("ll", "<LL>"),
                           metaspace(prepend_scheme="never", split=False),
                           decoders.Metaspace(prepend_scheme="never"))


# Comparison.

class Ours:
    def __init__(self, tool, folder):
        self.tool, self.folder = tool, folder

    def call(self, *arguments):
        return subprocess.run([self.tool, *map(str, arguments)], check=True,
                              capture_output=True).stdout.decode()

    def records(self, command, tokenizer, records, *flags):
        source, target = f"{self.folder}/in", f"{self.folder}/out"
        with open(source, "wb") as file:
            for count, data in records:
                file.write(struct.pack("<I", count) + data)
        self.call(command, tokenizer, source, target, *flags)
        with open(target, "rb") as file:
            return file.read()

    def encode(self, tokenizer, texts, *flags):
        raw = [t if isinstance(t, bytes) else t.encode() for t in texts]
        data = self.records("encode", tokenizer, [(len(t), t) for t in raw], *flags)
        numbers, at, lists = np.frombuffer(data, np.int32), 0, []
        while at < len(numbers):
            lists.append(numbers[at + 1:at + 1 + numbers[at]])
            at += 1 + numbers[at]
        return [lists[i:i + 6] for i in range(0, len(lists), 6)]

    def decode(self, tokenizer, ids, *flags):
        data = self.records("decode", tokenizer,
                            [(len(i), np.asarray(i, np.int32).tobytes()) for i in ids], *flags)
        at, texts = 0, []
        while at < len(data):
            count, = struct.unpack_from("<I", data, at)
            texts.append(data[at + 4:at + 4 + count].decode())
            at += 4 + count
        return texts


def theirs(encoding):
    offsets = np.array(encoding.offsets, np.int32).reshape(-1, 2)
    return [np.array(x, np.int32) for x in (
        encoding.ids, offsets[:, 0], offsets[:, 1], encoding.type_ids, encoding.attention_mask,
        encoding.special_tokens_mask)]


def in_characters(text, ours):
    """Our offsets, in bytes, as characters."""
    lengths = np.fromiter((len(c.encode()) for c in text), np.int64, len(text))
    starts = np.concatenate([[0], np.cumsum(lengths)])
    positions = np.full(starts[-1] + 1, -1, np.int32)
    positions[starts] = np.arange(len(starts))
    return [ours[0], positions[ours[1]], positions[ours[2]], *ours[3:]]


NAMES = ["ids", "begins", "ends", "types", "attention", "special"]


def compare(name, text, ours, expected, skipped=()):
    for what, a, b in zip(NAMES, in_characters(text, ours), expected):
        if what in skipped:
            continue
        if not np.array_equal(a, b):
            at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            expect(False, f"{name}: {what} differ at {at} of {len(a)}, {len(b)}: "
                          f"{a[max(at - 3, 0):at + 5]}, expected {b[max(at - 3, 0):at + 5]}; "
                          f"text {text[:60]!r}")
            return


def compare_texts(name, ours, path, tokenizer, texts, long_texts=()):
    """Long ones only without special tokens, and not decoded."""
    for special in (False, True):
        tokenizer.encode_special_tokens = not special
        flags = ["special"] if special else []
        some = texts if special else [*texts, *long_texts]
        for text, a in zip(some, ours.encode(path, some, *flags)):
            compare(f"{name} special={special}", text, a, theirs(tokenizer.encode(text)))
    ids = [tokenizer.encode(t).ids for t in texts]
    for keep in (False, True):
        got = ours.decode(path, ids, *(["keep"] if keep else []))
        for text, a, i in zip(texts, got, ids):
            b = tokenizer.decode(i, skip_special_tokens=not keep)
            expect(a == b, f"{name} decode keep={keep}: {a[:80]!r}, expected {b[:80]!r}")
    return len(texts) + len(long_texts)


def compare_pairs(name, ours, path, tokenizer, texts):
    """Pairs, without special tokens, truncated, padded."""
    tokenizer.encode_special_tokens = True
    settings = [(None, None),
                (dict(max_length=12), dict(length=20, pad_id=3, pad_type_id=2, pad_token="[PAD]")),
                (dict(max_length=9, direction="left"), dict(pad_to_multiple_of=7, direction="left",
                                                            pad_id=1)),
                (dict(max_length=7, strategy="longest_first"), dict(pad_id=2))]
    for truncation, padding in settings:
        if truncation:
            tokenizer.enable_truncation(**truncation)
            tokenizer.enable_padding(**padding)
        tokenizer.save(path)
        for flags, add in (([], True), (["bare"], False)):
            got = ours.encode(path, texts, "pairs", *flags)
            for i, a in enumerate(got):
                b = theirs(tokenizer.encode(texts[i], texts[i + 1], add_special_tokens=add))
                for what in (0, 3, 4, 5):
                    expect(np.array_equal(a[what], b[what]),
                           f"{name} pair {flags} {truncation}: {NAMES[what]} {a[what]}, "
                           f"expected {b[what]}; texts {texts[i:i + 2]!r}")
            got = ours.encode(path, texts, "batch", *flags)
            for text, a, b in zip(texts, got, tokenizer.encode_batch(
                    texts, add_special_tokens=add)):
                # Trimmed before it is cut here, and behind it there: whose first token is it?
                left = truncation and truncation.get("direction") == "left"
                compare(f"{name} batch {flags} {truncation}", text, a, theirs(b),
                        ("begins", "ends") if left else ())
    tokenizer.no_truncation()
    tokenizer.no_padding()


def check_invalid(ours, path, tokenizer):
    got = ours.encode(path, INVALID, "replace")
    tokenizer.encode_special_tokens = True
    for raw, a in zip(INVALID, got):
        b = theirs(tokenizer.encode(raw.decode(errors="replace")))
        expect(np.array_equal(a[0], b[0]), f"not UTF-8: {raw!r}: {a[0]}, expected {b[0]}")
        expect(all(0 <= x <= y <= len(raw) for x, y in zip(a[1], a[2])), f"offsets of {raw!r}")


def check_speed_of_long_runs(ours, path, name):
    """A megabyte without a space takes no quadratic time."""
    texts = ["a" * 1000000, "ab" * 500000, "\u0301" * 500000, "".join(
        random.Random(1).choices("abcdefgh", k=1000000))]
    start = time.time()
    ours.encode(path, texts)
    took = time.time() - start
    expect(took < 30, f"{name}: {took:.1f} s for four megabytes without a space")


def check_training(ours, folder, text_path, text):
    for kind, size in (("bpe", 4096), ("llama3", 2000)):
        path = f"{folder}/trained.json"
        start = time.time()
        ours.call("train", kind, size, path, text_path)
        took = time.time() - start
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(False) if kind == "bpe" else split_at(LLAMA3)
        t.train_from_iterator([text], trainers.BpeTrainer(
            vocab_size=size, special_tokens=["<|endoftext|>"], show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
        mine = json.loads(Tokenizer.from_file(path).to_str())["model"]
        other = json.loads(t.to_str())["model"]
        expect(mine["merges"] == other["merges"], f"{kind}: other merges than the library's")
        expect(mine["vocab"] == other["vocab"], f"{kind}: another vocabulary than the library's")
        print(f"training {kind}, {size} tokens, {len(text)} characters: {took:.2f} s")
    path = f"{folder}/trained.json"
    ours.call("train", "wordpiece", 2000, path, text_path)
    t = Tokenizer.from_file(path)
    expect(compare_texts("trained wordpiece", ours, path, t, HOSTILE + [text[:20000]]), "")
    pieces = [["<unk>", 0.0], ["▁", -2.0], ["a", -3.0], ["b", -3.5], ["▁a", -2.5], ["ab", -4.0]]
    with open(f"{folder}/pieces.json", "w", encoding="utf-8") as file:
        json.dump(pieces, file)
    ours.call("unigram", f"{folder}/pieces.json", path)
    expect(compare_texts("made unigram", ours, path, Tokenizer.from_file(path),
                         ["ab a b", "x ab"]), "")


def as_bytes(text, encoding):
    ends = [len(text[:i].encode()) for i in range(len(text) + 1)]
    return [[ends[a], ends[b]] for a, b in encoding.offsets]


def golden(path):
    """Small tokenizers, and what the library makes of a few texts, for tests without it."""
    sizes["most"] = 340
    tokenizers = {}
    texts = [t for t in HOSTILE if len(t) < 80] + random_texts(8, 3)
    for name, tokenizer in all_tokenizers(training_text()):
        cases = []
        for special in (False, True):
            tokenizer.encode_special_tokens = not special
            for text in texts:
                e = tokenizer.encode(text)
                cases.append([text, special, e.ids, sum(as_bytes(text, e), []),
                              tokenizer.decode(e.ids, skip_special_tokens=special)])
        tokenizers[name] = {"file": json.loads(tokenizer.to_str()), "cases": cases}
    with open(path, "w", encoding="utf-8") as file:
        rows = ",\n".join(json.dumps({n: t}, ensure_ascii=False, separators=(",", ":"))[1:-1]
                          for n, t in tokenizers.items())
        file.write("{" + rows + "}\n")


def compare_speed(ours, folder, text_path, text, only):
    for name, tokenizer in all_tokenizers(training_text()):
        if only and only != name:
            continue
        path = f"{folder}/{name}.json"
        tokenizer.save(path)
        mine, other = [], []
        for _ in range(3):
            mine.append(float(ours.call("time", path, text_path, 3)))
            for _ in range(2):
                start = time.perf_counter()
                tokenizer.encode(text)
                other.append(time.perf_counter() - start)
        a, b, size = min(mine), min(other), len(text.encode()) / 1e6
        print(f"{name:11} ours {size / a:7.1f} MB/s   tokenizers {size / b:7.1f} MB/s   "
              f"{b / a:5.1f} times as fast", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", default="")
    parser.add_argument("--text")
    parser.add_argument("--only", default="")
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--golden")
    options = parser.parse_args()
    if options.golden:
        golden(options.golden)
        return 0
    made = training_text()
    text = made
    if options.text:
        with open(options.text, encoding="utf-8", newline="") as file:
            text = file.read()
    compared = 0
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(options.tool, folder)
        text_path = f"{folder}/text"
        with open(text_path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if options.time:
            compare_speed(ours, folder, text_path, text, options.only)
            return 0
        random_ones = random_texts(400 if LONG else 50, 7)
        texts, scalars = HOSTILE + random_ones + [made[:20000 if LONG else 2000]], scalar_texts()
        for name, tokenizer in all_tokenizers(made):
            if options.only and options.only != name:
                continue
            path, again = f"{folder}/{name}.json", f"{folder}/{name}.again.json"
            tokenizer.save(path)
            start = time.time()
            compared += compare_texts(name, ours, path, tokenizer, texts, [text, *scalars])
            print(f"{name}: {time.time() - start:.1f} s, {len(failures)} failures", flush=True)
            ours.call("rewrite", path, again)
            second = Tokenizer.from_file(again)
            expect(json.loads(second.to_str()) == json.loads(tokenizer.to_str()),
                   f"{name}: another tokenizer after it was loaded and saved")
            check_invalid(ours, path, tokenizer)
            check_speed_of_long_runs(ours, path, name)
            compare_pairs(name, ours, path, tokenizer, [t for t in HOSTILE if len(t) > 3][:12] +
                          random_ones[:40])
        if not options.only:
            check_training(ours, folder, text_path, text)
    print(f"tokenizers {__version__}: {compared} texts compared, {len(failures)} failures")
    return 1 if failures or compared == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
