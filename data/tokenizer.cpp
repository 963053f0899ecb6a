#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/data/word_tokenizer.h>

#include <array>

namespace adjoint::data {

void Tokenizer::save(const std::string& path) const {
  io::write_file_atomic(path, to_json().dump(2) + "\n");
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  const Json json = Json::load(path, kMaxTokenizerFile);
  try {
    const auto format = json.get<std::string>("format");
    if (format == WordTokenizer::kFormat) {
      return std::make_unique<WordTokenizer>(WordTokenizer::from_json(json));
    }
    return std::make_unique<CharTokenizer>(CharTokenizer::from_json(json));
  } catch (const IoError& error) {
    const std::string what = error.what();
    if (what.starts_with(path)) throw;
    fail<IoError>(path, ": ", what);
  }
}

Token special_token(const Tokenizer& tokenizer, SpecialToken which, std::string_view user) {
  static constexpr std::array<const char*, 5> kNames = {"padding", "unknown words", "the beginning",
                                                        "the end", "what is masked"};
  const std::optional<Token> token = tokenizer.special(which);
  check<ConfigError>(token.has_value(), user, ": the tokenizer has no token for ",
                     kNames[static_cast<size_t>(which)], "; expected one");
  return *token;
}

}  // namespace adjoint::data
