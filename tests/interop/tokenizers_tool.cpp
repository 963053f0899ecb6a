// What tokenizers_parity.py calls. Texts and numbers go through files of records: a count of four
// bytes, and as many bytes (texts) or numbers of four bytes.
//
//   tokenizers_tool encode TOKENIZER IN OUT [special] [bare] [pairs] [replace] [batch]
//       six lists for each text or pair: ids, begins, ends, types, attention, special mask
//   tokenizers_tool decode TOKENIZER IN OUT [keep]        a text for each list of ids
//   tokenizers_tool rewrite IN OUT                        loads a tokenizer, saves it
//   tokenizers_tool train bpe|llama3|wordpiece SIZE OUT FILE
//   tokenizers_tool unigram PIECES OUT                    of a JSON array of [text, score]
//   tokenizers_tool time TOKENIZER FILE RUNS              the fastest run's seconds
#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/parallel.h>
#include <adjoint/data/bpe.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/data/unigram.h>
#include <adjoint/data/wordpiece.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "core/io/byte_reader.h"

namespace adjoint {
namespace {

using data::Encoding;
using data::Tokenizer;

class Records {
 public:
  template <class T>
  void add(const std::vector<T>& values) {
    count(values.size());
    for (const T value : values) number(static_cast<int32_t>(value));
  }
  void add(const std::string& text) {
    count(text.size());
    bytes_ += text;
  }
  void save(const std::string& path) const { io::write_file_atomic(path, bytes_); }

 private:
  void count(size_t n) { number(static_cast<int32_t>(n)); }
  void number(int32_t value) {
    char raw[4];
    std::memcpy(raw, &value, 4);
    bytes_.append(raw, 4);
  }
  std::string bytes_;
};

std::vector<std::string> read_texts(const std::string& path) {
  const std::vector<std::byte> bytes = io::read_file(path);
  io::ByteReader in(bytes, path);
  std::vector<std::string> texts;
  while (!in.at_end()) {
    const auto n = in.read<uint32_t>();
    texts.emplace_back(in.take_text(n));
  }
  return texts;
}

struct Flags {
  std::vector<std::string> words;
  bool has(const char* word) const {
    return std::find(words.begin(), words.end(), word) != words.end();
  }
};

void encode(const std::string& tokenizer_path, const std::string& from, const std::string& to,
            const Flags& flags) {
  const auto tokenizer = Tokenizer::load(tokenizer_path);
  const data::EncodeOptions options{.add_special_tokens = !flags.has("bare"),
                                    .allow_special = flags.has("special"),
                                    .replace_invalid = flags.has("replace")};
  const std::vector<std::string> texts = read_texts(from);
  std::vector<Encoding> encodings;
  if (flags.has("batch")) {
    encodings = tokenizer->encode_batch(texts, options);
  } else if (flags.has("pairs")) {
    for (size_t i = 0; i + 1 < texts.size(); ++i) {
      encodings.push_back(tokenizer->encoding(texts[i], texts[i + 1], options));
    }
  } else {
    for (const std::string& text : texts) {
      encodings.push_back(tokenizer->encoding(text, options));
      check(tokenizer->encode(text, options) == encodings.back().ids,
            "encode() and encoding() differ");
    }
  }
  Records out;
  for (const Encoding& encoding : encodings) {
    std::vector<int32_t> begins, ends;
    for (const auto& [begin, end] : encoding.offsets) {
      begins.push_back(static_cast<int32_t>(begin));
      ends.push_back(static_cast<int32_t>(end));
    }
    out.add(encoding.ids);
    out.add(begins);
    out.add(ends);
    out.add(encoding.type_ids);
    out.add(encoding.attention_mask);
    out.add(encoding.special_tokens_mask);
  }
  out.save(to);
}

void decode(const std::string& tokenizer_path, const std::string& from, const std::string& to,
            const Flags& flags) {
  const auto tokenizer = Tokenizer::load(tokenizer_path);
  const std::vector<std::byte> bytes = io::read_file(from);
  io::ByteReader in(bytes, from);
  Records out;
  while (!in.at_end()) {
    std::vector<data::Token> ids(in.read<uint32_t>());
    for (data::Token& id : ids) id = in.read<int32_t>();
    out.add(tokenizer->decode(ids, {.skip_special_tokens = !flags.has("keep")}));
  }
  out.save(to);
}

void train(const std::string& kind, int64_t size, const std::string& to, const std::string& from) {
  const std::vector<std::string> texts = {io::read_text(from)};
  if (kind == "wordpiece") {
    data::train_wordpiece(texts, {.vocab_size = size})->save(to);
    return;
  }
  data::BpeOptions options;
  options.vocab_size = size;
  options.special_tokens = {"<|endoftext|>"};
  if (kind == "llama3") options.splitting = data::Splitting::llama3;
  data::train_bpe(texts, options)->save(to);
}

void unigram(const std::string& from, const std::string& to) {
  std::vector<data::UnigramPiece> pieces;
  const Json json = Json::load(from);
  for (const Json& piece : json.elements()) {
    pieces.push_back({piece.get<std::string>(0), piece.get<double>(1)});
  }
  data::make_unigram(pieces)->save(to);
}

void time_encode(const std::string& tokenizer_path, const std::string& file, int runs) {
  set_num_threads(1);
  const auto tokenizer = Tokenizer::load(tokenizer_path);
  const std::string text = io::read_text(file);
  double best = 1e9;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const size_t count = tokenizer->encode(text).size();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (count > 0) best = std::min(best, took.count());
  }
  std::printf("%.9f\n", best);
}

int run(const std::vector<std::string>& arguments) {
  const size_t n = arguments.size();
  const std::string command = n > 0 ? arguments[0] : "";
  const Flags flags{n > 4 ? std::vector<std::string>(arguments.begin() + 4, arguments.end())
                          : std::vector<std::string>()};
  if (command == "encode" && n >= 4) {
    encode(arguments[1], arguments[2], arguments[3], flags);
  } else if (command == "decode" && n >= 4) {
    decode(arguments[1], arguments[2], arguments[3], flags);
  } else if (command == "rewrite" && n == 3) {
    Tokenizer::load(arguments[1])->save(arguments[2]);
  } else if (command == "train" && n == 5) {
    train(arguments[1], std::stoll(arguments[2]), arguments[3], arguments[4]);
  } else if (command == "unigram" && n == 3) {
    unigram(arguments[1], arguments[2]);
  } else if (command == "time" && n == 4) {
    time_encode(arguments[1], arguments[2], std::stoi(arguments[3]));
  } else {
    std::fprintf(stderr, "usage: see the first lines of tokenizers_tool.cpp\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  try {
    return adjoint::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tokenizers_tool: %s\n", error.what());
    return 1;
  }
}
