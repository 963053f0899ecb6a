// From one text to another: an encoder-decoder Transformer.
//
// Vaswani et al. 2017, arXiv 1706.03762, with norms before the branches, learned positions, and one
// table of embeddings for both texts and the output layer (section 3.4). Parameters have the names
// of torch.nn.Transformer below "transformer".
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/models/beam_search.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/position.h>
#include <adjoint/nn/transformer.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace adjoint::models {

struct Seq2SeqConfig {
  int64_t vocab_size = 64;
  int64_t max_length = 96;  // of either text, in tokens
  int64_t d_model = 128;
  int64_t nhead = 4;
  int64_t num_encoder_layers = 2;
  int64_t num_decoder_layers = 2;
  int64_t dim_feedforward = 512;
  double dropout = 0.0;

  void validate() const;
  int64_t parameter_count() const;
  Json to_json() const;  // "model_type": "seq2seq"
  static Seq2SeqConfig from_json(const Json& json);
  static Seq2SeqConfig load(const std::string& path);

  bool operator==(const Seq2SeqConfig& other) const = default;
};

class Seq2Seq : public nn::Module<Seq2Seq> {
 public:
  // Matrices of the Transformer from Xavier's uniform distribution, embeddings and positions normal
  // with standard deviation 0.02; from the generator, in a fixed order.
  explicit Seq2Seq(const Seq2SeqConfig& config, Generator& generator = default_generator());

  // source (B, S), i64, padding (B, S), bool, true where there is no text (or undefined), target
  // (B, T) that begins with the token for the beginning -> logits (B, T, vocab_size) of what
  // follows each. What is behind a target's end has no influence before it.
  Tensor forward(const Tensor& source, const Tensor& padding, const Tensor& target) const;
  // The mean of -log p(following) over all that are not `ignored`, in nats; following (B, T).
  Tensor loss(const Tensor& source, const Tensor& padding, const Tensor& target,
              const Tensor& following, data::Token ignored) const;

  // What was read of a source, and how far its targets are: for one token after the other.
  struct Decoding {
    Tensor memory, padding;  // (B, S, d_model), (B, S)
    std::vector<nn::TransformerDecoderLayerCache> cache;
    int64_t length = 0;
  };
  Decoding start(const Tensor& source, const Tensor& padding) const;
  // The logits (B, vocab_size) after one more token (B) of each target. Not recorded.
  Tensor next_logits(const Tensor& tokens, Decoding& decoding) const;
  // Each row goes on from the row that `rows` (i64) names.
  static void reorder(Decoding& decoding, const Tensor& rows);

  void members(nn::Visitor& v) override;
  const Seq2SeqConfig& config() const { return config_; }
  static Seq2Seq load(const std::string& dir);

  nn::Embedding embedding;
  nn::LearnedPositionalEmbedding source_positions, target_positions;
  nn::Transformer transformer;
  nn::Linear output;  // its weight is tied to the embedding

 private:
  Tensor encode(const Tensor& source, const Tensor& padding) const;
  void check_ids(const char* what, const Tensor& ids) const;

  Seq2SeqConfig config_;
};

// The tokens that a text is framed by.
struct Frame {
  data::Token pad = 0, begin = 2, end = 3;
};

// The most probable token after the most probable one, of all sources at once: the targets without
// their ends, of at most max_length - 1 tokens. The model should be in eval mode.
std::vector<std::vector<data::Token>> greedy_search(
    const Seq2Seq& model, std::span<const std::vector<data::Token>> sources, const Frame& frame);

// The best targets of one source (options.end is frame.end, max_length at most the model's).
std::vector<Hypothesis> beam_search(const Seq2Seq& model, std::span<const data::Token> source,
                                    const Frame& frame, const BeamSearchOptions& options);

}  // namespace adjoint::models
