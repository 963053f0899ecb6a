// A fuzzer for every compiler: seeded mutations of valid inputs, the same on every run. A fixed
// number of inputs, and twenty times as many where ADJOINT_TEST_LONG=1.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/targets.h"

namespace adjoint::fuzz {
namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // Below n. splitmix64.
  size_t below(size_t n) {
    state_ += 0x9E3779B97F4A7C15U;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return static_cast<size_t>((z ^ (z >> 31)) % n);
  }

 private:
  uint64_t state_;
};

const std::vector<std::string_view> kWords = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "null",
    "true",
    "false",
    "NaN",
    "-",
    ".",
    "e",
    "0",
    "-0",
    "-1",
    "1.0",
    "1e999",
    "1e-999",
    "0.1",
    "127",
    "128",
    "255",
    "256",
    "32768",
    "65536",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "\\u0000",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\xEF\xBB\xBF",
    "\xC3\xA9",
    "\xC0\x80",
    "\xED\xA0\x80",
    "\xF4\x90\x80\x80",
    "\xFF",
    " ",
    "\n",
    "\"dtype\"",
    "\"shape\"",
    "\"data_offsets\"",
    "\"__metadata__\"",
    "\"F32\"",
    "\"F64\"",
    "\"U8\"",
    "\"BOOL\"",
    "\"F4\"",
    "\"F6_E2M3\"",
    "[0,0]",
    "[0,4]",
    "[4,4]",
    "[]",
    "\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}",
    "[[[[[[[[[[[[[[[[",
    "{\"\":"};

void mutate(std::string& text, const std::vector<std::string>& seeds, Random& random) {
  const size_t at = random.below(text.size() + 1);
  const size_t length = std::min(text.size() - at, 1 + random.below(16));
  switch (random.below(9)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << random.below(8)));
      break;
    case 1:
      if (at < text.size()) text[at] = static_cast<char>(random.below(256));
      break;
    case 2:
      text.erase(at, length);
      break;
    case 3:
      text.insert(at, text.substr(random.below(text.size() + 1), length));
      break;
    case 4:
    case 5:
      text.insert(at, kWords[random.below(kWords.size())]);
      break;
    case 6:
      text.replace(at, length, kWords[random.below(kWords.size())]);
      break;
    case 7: {
      const std::string& other = seeds[random.below(seeds.size())];
      text.replace(at, length, other, random.below(other.size() + 1), 1 + random.below(64));
      break;
    }
    default:
      text.resize(at);
  }
}

std::string little_endian(uint64_t value) {
  std::string out(8, '\0');
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<char>(value >> (8 * i));
  return out;
}

struct Result {
  int64_t runs = 0;
  int64_t accepted = 0;
};

int64_t inputs(int64_t usual) {
  const char* longer = std::getenv("ADJOINT_TEST_LONG");
  return longer != nullptr && std::strcmp(longer, "1") == 0 ? usual * 20 : usual;
}

template <class Target, class Wrap>
Result run(int64_t count, const std::vector<std::string>& seeds, Target target, Wrap wrap) {
  Random random(20240229);
  Result result;
  for (; result.runs < count; ++result.runs) {
    std::string text = seeds[random.below(seeds.size())];
    for (size_t n = random.below(5); n > 0; --n) mutate(text, seeds, random);
    const std::string input = wrap(std::move(text), random);
    // A copy without room behind it: a read past the end is one past an allocation.
    const std::vector<uint8_t> exact(input.begin(), input.end());
    result.accepted += target(exact) ? 1 : 0;
  }
  std::printf("%lld inputs, %lld accepted\n", static_cast<long long>(result.runs),
              static_cast<long long>(result.accepted));
  return result;
}

TEST(Fuzz, Json) {
  const std::vector<std::string> seeds = {
      R"({"a":[1,-2.5e3,true,false,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":{},"d":[]}})",
      R"([0,-0,1e-400,9223372036854775807,18446744073709551615,1.7976931348623157e308])",
      "[[[[[[[[[[]]]]]]]]]]",
      R"( { "long key with spaces" : "caf)"
      "\xC3\xA9"
      R"(" , "" : "" } )",
      R"({"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"ka":10,"kb":11,)"
      R"("kc":12,"kd":13,"ke":14,"kf":15,"kg":16,"kh":17,"ki":18})",
      "3.14159",
      "\"text\"",
      std::string(128, '[') + std::string(128, ']')};
  const Result result =
      run(inputs(300000), seeds, json, [](std::string text, Random&) { return text; });
  EXPECT_GT(result.accepted, result.runs / 20);
}

TEST(Fuzz, Safetensors) {
  const std::vector<std::string> seeds = {
      "{}",
      R"({"__metadata__":{"format":"pt","x":"\u00e9"},"w":{"dtype":"F32","shape":[2,1],)"
      R"("data_offsets":[0,8]},"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}  )",
      R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F64","shape":[0,3],)"
      R"("data_offsets":[1,1]},"c\n":{"dtype":"BOOL","shape":[3],"data_offsets":[1,4],"x":[{}]}})",
      R"({"f4":{"dtype":"F4","shape":[4],"data_offsets":[0,2]},"f6":{"dtype":"F6_E2M3",)"
      R"("shape":[4],"data_offsets":[2,5]}})",
      R"({"__metadata__":null,"z":{"data_offsets":[0,0],"dtype":"F64","shape":[0]}})"};
  const auto wrap = [](std::string header, Random& random) {
    // Mostly sizes that fit, so that what lies behind the first checks is reached.
    constexpr size_t sizes[] = {0, 1, 4, 5, 8, 16, 16, 24};
    uint64_t size = header.size();
    if (random.below(16) == 0) size ^= uint64_t{1} << random.below(64);
    std::string bytes = little_endian(size) + header + std::string(sizes[random.below(8)], 'x');
    if (random.below(32) == 0) bytes.resize(random.below(bytes.size() + 1));
    return bytes;
  };
  const Result result = run(inputs(300000), seeds, safetensors, wrap);
  EXPECT_GT(result.accepted, result.runs / 100);
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(Fuzz, Deflate) {
  // A block with codes of its own, one with the fixed codes, one that is stored (gzip_test.cpp).
  const std::vector<std::string> seeds = {
      from_hex(
          "95d1eb09c3300c04e0d9ce727c7164d5881084f75fa4a194fc8e26f8ee817d7c06bdf58338a6bbb50f0a"
          "6c1b731a676d5b19857b2beab5c26a1f6a988130aa9f8653c8a58060f5105926d42e2136552e9258f450"
          "22a9c49555ee6049e50e96547ef573caca2a35adfc474e28cf95af95e7cad7ca17"),
      from_hex("cb48cdc9c957c8409000"), from_hex("010300fcff616263")};
  const Result result =
      run(inputs(100000), seeds, deflate, [](std::string bytes, Random&) { return bytes; });
  EXPECT_GT(result.accepted, result.runs / 20);
}

// A tokenizer.json of these components, with the model's own fields.
std::string tokenizer_file(const std::string& normalizer, const std::string& pre_tokenizer,
                           const std::string& post_processor, const std::string& decoder,
                           const std::string& model) {
  return R"({"version":"1.0","truncation":{"max_length":6,"stride":0,"strategy":"OnlyFirst"},)"
         R"("padding":{"strategy":{"Fixed":8},"pad_id":1,"pad_type_id":0,"pad_token":"b"},)"
         R"("added_tokens":[{"id":3,"content":"<s>","single_word":false,"lstrip":true,)"
         R"("rstrip":true,"normalized":false,"special":true},{"id":4,"content":"ba",)"
         R"("single_word":true,"lstrip":false,"rstrip":false,"normalized":true,"special":false}],)"
         R"("normalizer":)" +
         normalizer + R"(,"pre_tokenizer":)" + pre_tokenizer + R"(,"post_processor":)" +
         post_processor + R"(,"decoder":)" + decoder + R"(,"model":{)" + model + "}}";
}

TEST(Fuzz, Tokenizer) {
  const std::string bpe =
      R"("type":"BPE","unk_token":"a","fuse_unk":true,"byte_fallback":true,"ignore_merges":true,)"
      R"("vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]])";
  const std::vector<std::string> seeds = {
      tokenizer_file(
          R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Prepend","prepend":"b"},)"
          R"({"type":"Replace","pattern":{"String":" "},"content":"ab"},{"type":"NFD"}]})",
          R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":true})",
          R"({"type":"RobertaProcessing","sep":["b",1],"cls":["a",0],"trim_offsets":true,)"
          R"("add_prefix_space":true})",
          R"({"type":"ByteLevel"})", bpe),
      tokenizer_file(R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,)"
                     R"("strip_accents":null,"lowercase":true})",
                     R"({"type":"BertPreTokenizer"})",
                     R"({"type":"BertProcessing","sep":["b",1],"cls":["a",0]})",
                     R"({"type":"WordPiece","prefix":"##","cleanup":true})",
                     R"("type":"WordPiece","unk_token":"a","continuing_subword_prefix":"##",)"
                     R"("max_input_chars_per_word":9,"vocab":{"a":0,"b":1,"##b":2})"),
      tokenizer_file(
          R"({"type":"StripAccents"})",
          R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Metaspace",)"
          R"("replacement":"\u2581","prepend_scheme":"first","split":true}]})",
          R"({"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}}],)"
          R"("pair":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"b","type_id":1}},)"
          R"({"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"b":{"id":"b","ids":[1],)"
          R"("tokens":["b"]}}})",
          R"({"type":"Sequence","decoders":[{"type":"Metaspace","replacement":"\u2581",)"
          R"("prepend_scheme":"always"},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip",)"
          R"("content":" ","start":1,"stop":0},{"type":"Replace","pattern":{"String":"a"},)"
          R"("content":"b"}]})",
          R"("type":"Unigram","unk_id":0,"byte_fallback":true,"vocab":[["<unk>",0],["\u2581",-2],)"
          R"(["a",-3.5]])"),
      tokenizer_file("null",
                     R"({"type":"Split","pattern":{"String":"a"},"behavior":"Contiguous",)"
                     R"("invert":true})",
                     R"({"type":"Sequence","processors":[{"type":"ByteLevel"}]})", "null", bpe),
      R"({"format":"adjoint-characters","version":1,"characters":"\n ab\u00e9"})",
      R"({"format":"adjoint-words","version":1,"unit":"word","lowercase":true,)"
      R"("words":["a","b","ab"]})"};
  const Result result =
      run(inputs(6000), seeds, tokenizer, [](std::string text, Random&) { return text; });
  EXPECT_GT(result.accepted, result.runs / 10);
}

TEST(Fuzz, WordVectors) {
  const std::vector<std::string> seeds = {"a 1 2\nb 3 -4.5e-1\ncaf\u00e9 0 0\n",
                                          "2 3\nx 1 2 3\ny 4 5 6 \r\n", "w 0.5"};
  const Result result =
      run(inputs(100000), seeds, word_vectors, [](std::string text, Random&) { return text; });
  EXPECT_GT(result.accepted, result.runs / 10);
}

}  // namespace
}  // namespace adjoint::fuzz
