// Post-processors of tokenizer.json: the tokens around a text or a pair, and where offsets end.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/data/tokenizer.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace adjoint::data {

class PostProcessor {
 public:
  virtual ~PostProcessor() = default;
  virtual int64_t count_around(bool pair) const = 0;
  // One or two encodings in, as many or one out: where it has several left, they are joined.
  virtual void process(std::vector<Encoding>& encodings, bool add) const = 0;
  // Takes the spaces that a token has at its ends out of its range of the text, where this does so.
  // `first`: it is the first of its text.
  virtual void trim(std::string_view /*token*/, std::string_view /*text*/, bool /*first*/,
                    TextRange& /*range*/) const {}
  virtual bool trims() const { return false; }
};

// From the "post_processor" of a tokenizer.json; null for null. IoError for what is unknown.
std::unique_ptr<PostProcessor> read_post_processor(const Json& json);

// Puts `more` behind `encoding`.
void append(Encoding& encoding, const Encoding& more);
// Puts a special token behind it.
void append_special(Encoding& encoding, Token id, int32_t type);

// A post_processor of the kind TemplateProcessing for templates such as "[CLS] $A [SEP] $B:1
// [SEP]:1"
// ($A and $B are the texts, a number behind a colon the type). IoError for malformed ones and
// tokens that id_of does not know.
Json template_json(const std::string& single, const std::string& pair,
                   const std::function<std::optional<Token>(std::string_view)>& id_of);

}  // namespace adjoint::data
