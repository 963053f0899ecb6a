// A Hugging Face tokenizer.json: added tokens, normalizer, pre-tokenizer, model, post-processor and
// decoder, in this order. Ids and offsets are those of the `tokenizers` library, of which
// tests/interop/tokenizers_parity.py makes sure.
#pragma once

#include <adjoint/data/tokenizer.h>

#include <memory>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/decoders.h"
#include "data/tokenizers/model.h"
#include "data/tokenizers/normalizers.h"
#include "data/tokenizers/piece_cache.h"
#include "data/tokenizers/post_processor.h"
#include "data/tokenizers/pre_tokenizers.h"

namespace adjoint::data {

class Pipeline : public Tokenizer {
 public:
  // IoError for what is malformed, and for components that this program does not know.
  explicit Pipeline(const Json& json);

  using Tokenizer::decode;
  std::string decode(std::span<const Token> tokens, const DecodeOptions& options) const override;
  int64_t vocab_size() const override;
  std::optional<Token> token_to_id(std::string_view token) const override;
  std::optional<std::string> id_to_token(Token token) const override;
  bool is_special(Token token) const override;
  Json to_json() const override;

 protected:
  void append_pieces(std::string_view text, const EncodeOptions& options, bool with_ranges,
                     std::vector<Piece>& out) const override;
  int64_t count_around(bool pair) const override;
  Encoding around_text(Encoding first, std::optional<Encoding> second, bool add) const override;

 private:
  // Where pieces go, and how their ranges become shorter (null: not at all).
  struct Output {
    const PostProcessor* trimmer;
    std::string_view text;
    std::vector<Piece>& pieces;

    // `token` is what the model calls it, or the text that an added token was found in.
    void add(Token id, std::string_view token, Range32 origin) const {
      if (trimmer != nullptr) {
        TextRange range{origin.begin, origin.end};
        trimmer->trim(token, text, pieces.empty(), range);
        origin = {static_cast<uint32_t>(range.begin), static_cast<uint32_t>(range.end)};
      }
      pieces.push_back({id, origin.begin, origin.end});
    }
  };
  void append_text(Normalized& text, const EncodeOptions& options, PieceCache& cache,
                   Output& output) const;

  Json components_;  // as they were read, for to_json()
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::unique_ptr<Model> model_;
  AddedTokens added_;
  std::unique_ptr<PostProcessor> post_processor_;
  std::unique_ptr<Decoder> decoder_;
  mutable CachePool caches_;
};

}  // namespace adjoint::data
