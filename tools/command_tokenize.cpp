// adjoint tokenize: text to tokens, and back.
#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/data/tokenizer.h>

#include <iostream>
#include <iterator>
#include <memory>

#include "models/train/option_table.h"
#include "tools/commands.h"

namespace adjoint::tools {
namespace {

using data::Encoding;
using data::Token;
using data::Tokenizer;

Json json_of(const Encoding& encoding, const Tokenizer& tokenizer) {
  Json tokens = Json::array(), offsets = Json::array();
  for (const Token id : encoding.ids) tokens.push_back(tokenizer.id_to_token(id).value_or(""));
  for (const auto& [begin, end] : encoding.offsets) offsets.push_back(Json::array({begin, end}));
  return Json::object({{"ids", encoding.ids},
                       {"tokens", std::move(tokens)},
                       {"offsets", std::move(offsets)},
                       {"type_ids", encoding.type_ids},
                       {"attention_mask", encoding.attention_mask},
                       {"special_tokens_mask", encoding.special_tokens_mask}});
}

// Numbers between white space.
std::vector<Token> read_ids(const std::string& text) {
  std::vector<Token> ids;
  constexpr const char* kSpaces = " \t\r\n";
  for (size_t at = text.find_first_not_of(kSpaces); at != text.npos;) {
    const size_t end = std::min(text.find_first_of(kSpaces, at), text.size());
    const std::string word = text.substr(at, end - at);
    const auto id = train::parse_integer(word);
    check<IoError>(id && *id >= 0 && *id <= INT32_MAX, "standard input: \"", word.substr(0, 40),
                   "\" is no token; expected numbers between blanks");
    ids.push_back(static_cast<Token>(*id));
    at = text.find_first_not_of(kSpaces, end);
  }
  return ids;
}

// An array, or what tokenize --json prints.
std::vector<Token> read_json_ids(const std::string& text) {
  const Json json = Json::parse(text, "standard input");
  return json.is_object() ? json.get<std::vector<Token>>("ids") : json.get<std::vector<Token>>();
}

}  // namespace

int command_tokenize(const Arguments& arguments) {
  std::string path;
  bool json = false, decode = false, allow_special = false, around = true;
  train::OptionTable table("adjoint tokenize",
                           "Reads text from standard input and prints its tokens, as numbers.");
  table.add("tokenizer", &path, "FILE", "a tokenizer.json");
  table.add("json", &json, "one object on stdout: ids, tokens, offsets in bytes, masks");
  table.add("decode", &decode, "reads numbers (with --json as JSON) and prints the text");
  table.add("allow-special", &allow_special, "special tokens in the text are tokens, not text");
  table.add("add-special-tokens", &around,
            "puts the tokenizer's tokens around the text, and skips "
            "special ones when decoding");
  if (table.answers(arguments)) return 0;
  check<train::UsageError>(!path.empty(), "--tokenizer: missing; expected a tokenizer.json");
  const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::load(path);
  const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
  if (decode) {
    const std::vector<Token> ids = json ? read_json_ids(input) : read_ids(input);
    const std::string text = tokenizer->decode(ids, {.skip_special_tokens = around});
    std::cout << (json ? Json::object({{"text", text}}).dump() + "\n" : text);
    return 0;
  }
  const data::EncodeOptions options{.add_special_tokens = around, .allow_special = allow_special};
  if (json) {
    std::cout << json_of(tokenizer->encoding(input, options), *tokenizer).dump() << "\n";
    return 0;
  }
  bool first = true;
  for (const Token id : tokenizer->encode(input, options)) {
    std::cout << (first ? "" : " ") << id;
    first = false;
  }
  std::cout << "\n";
  return 0;
}

}  // namespace adjoint::tools
