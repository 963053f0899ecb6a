#include "data/tokenizers/decoders.h"

#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>

#include <functional>
#include <utility>

#include "data/tokenizers/model.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/vocabulary.h"

namespace adjoint::data {
namespace {

using Texts = std::vector<std::string>;

class Function : public Decoder {
 public:
  using Body = std::function<void(Texts&, bool)>;
  explicit Function(Body body) : body_(std::move(body)) {}
  void decode(Texts& tokens, bool raw) const override { body_(tokens, raw); }

 private:
  Body body_;
};

void replace_in(std::string& text, std::string_view from, std::string_view to) {
  if (text.find(from) == text.npos) return;
  std::string out;
  size_t at = 0;
  for (size_t found = text.find(from); found != text.npos; found = text.find(from, at)) {
    out.append(text, at, found - at);
    out += to;
    at = found + from.size();
  }
  text = out + text.substr(at);
}

// A token whose characters all stand for bytes is these bytes; any other is itself.
void byte_level(Texts& tokens, bool raw) {
  std::string all;
  for (const std::string& token : tokens) {
    const size_t before = all.size();
    for (size_t at = 0; at < token.size();) {
      const Scalar scalar = scalar_at(token, at);
      const int byte = byte_of_character(scalar.value);
      if (byte < 0) {
        all.resize(before);
        all += token;
        break;
      }
      all.push_back(static_cast<char>(byte));
      at += scalar.length;
    }
  }
  tokens.clear();
  tokens.push_back(raw ? std::move(all) : lossy_utf8(all));
}

// Runs of <0x..> become the text that their bytes are; U+FFFD for each byte of a run that is none.
void byte_fallback(Texts& tokens, bool raw) {
  Texts out;
  std::string bytes;
  const auto flush = [&] {
    if (!raw && find_invalid_utf8(bytes)) {
      const size_t count = std::exchange(bytes, {}).size();
      for (size_t i = 0; i < count; ++i) append_utf8(bytes, 0xFFFD);
    }
    if (!bytes.empty()) out.push_back(std::exchange(bytes, {}));
  };
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::string& token : tokens) {
    if (token.size() == 6 && token.starts_with("<0x") && token[5] == '>' && digit(token[3]) >= 0 &&
        digit(token[4]) >= 0) {
      bytes.push_back(static_cast<char>(digit(token[3]) * 16 + digit(token[4])));
    } else {
      flush();
      out.push_back(std::move(token));
    }
  }
  flush();
  tokens = std::move(out);
}

void clean_up(std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},     {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},   {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, to] : kRules) replace_in(text, from, to);
}

void wordpiece(Texts& tokens, const std::string& prefix, bool cleanup) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) {
      if (tokens[i].starts_with(prefix)) {
        tokens[i].erase(0, prefix.size());
      } else {
        tokens[i].insert(0, " ");
      }
    }
    if (cleanup) clean_up(tokens[i]);
  }
}

void metaspace(Texts& tokens, const std::string& replacement, bool prepended) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    replace_in(tokens[i], replacement, i == 0 && prepended ? "" : " ");
  }
}

void strip(Texts& tokens, const std::string& content, int64_t start, int64_t stop) {
  for (std::string& token : tokens) {
    for (int64_t n = 0; n < start && token.starts_with(content); ++n) {
      token.erase(0, content.size());
    }
    for (int64_t n = 0; n < stop && token.ends_with(content); ++n) {
      token.resize(token.size() - content.size());
    }
  }
}

void fuse(Texts& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  tokens.clear();
  tokens.push_back(std::move(all));
}

std::unique_ptr<Decoder> make(Function::Body body) {
  return std::make_unique<Function>(std::move(body));
}

std::unique_ptr<Decoder> read_sequence(const Json& json) {
  std::vector<std::shared_ptr<Decoder>> parts;
  for (const Json& part : json.at("decoders").elements()) {
    check_file(part.is_object(), "a decoder in a Sequence is no object");
    parts.push_back(read_decoder(part));
  }
  return make([parts](Texts& tokens, bool raw) {
    for (const auto& part : parts) part->decode(tokens, raw);
  });
}

std::unique_ptr<Decoder> read_replace(const Json& json) {
  const auto from = json.get<std::string>("pattern", "String");
  check_file(!from.empty(), "the decoder Replace has an empty pattern");
  return make([from, to = json.get<std::string>("content")](Texts& tokens, bool) {
    for (std::string& token : tokens) replace_in(token, from, to);
  });
}

std::unique_ptr<Decoder> read_metaspace(const Json& json) {
  const auto replacement = json.get<std::string>("replacement");
  check_file(!replacement.empty(), "the decoder Metaspace has an empty replacement");
  const bool prepended = json.contains("prepend_scheme")
                             ? json.get<std::string>("prepend_scheme") != "never"
                             : json.get_or<bool>(true, "add_prefix_space");
  return make([=](Texts& tokens, bool) { metaspace(tokens, replacement, prepended); });
}

std::unique_ptr<Decoder> read_strip(const Json& json) {
  const auto content = json.get<std::string>("content");
  check_file(!content.empty(), "the decoder Strip has an empty content");
  const auto start = json.get<int64_t>("start"), stop = json.get<int64_t>("stop");
  return make([=](Texts& tokens, bool) { strip(tokens, content, start, stop); });
}

}  // namespace

std::unique_ptr<Decoder> read_decoder(const Json& json) {
  if (json.is_null()) return nullptr;
  const auto type = json.get<std::string>("type");
  if (type == "ByteLevel") return make(&byte_level);
  if (type == "ByteFallback") return make(&byte_fallback);
  if (type == "Fuse") return make([](Texts& tokens, bool) { fuse(tokens); });
  if (type == "Metaspace") return read_metaspace(json);
  if (type == "Replace") return read_replace(json);
  if (type == "Strip") return read_strip(json);
  if (type == "WordPiece") {
    return make([prefix = json.get<std::string>("prefix"), cleanup = json.get<bool>("cleanup")](
                    Texts& tokens, bool) { wordpiece(tokens, prefix, cleanup); });
  }
  check_file(type == "Sequence", "the decoder is \"", type,
             "\"; this program knows ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, "
             "Strip and WordPiece");
  return read_sequence(json);
}

}  // namespace adjoint::data
