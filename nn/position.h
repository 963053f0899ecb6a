// Positions: added to what a Transformer reads, or turned into its queries and keys.
#pragma once

#include <adjoint/core/attention.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

struct PositionOptions {
  int64_t max_len = 5000;
  double dropout = 0.0;  // of the sum
};

struct PositionForwardOptions {
  int64_t offset = 0;  // the position of the first row, when decoding goes on from a cache
};

// x (..., T, d_model) + table[offset : offset + T], with
//   table[pos, 2i] = sin(pos / 10000^(2i / d_model)), table[pos, 2i + 1] = cos(the same).
// Vaswani et al. 2017, arXiv 1706.03762, section 3.5. The table is a buffer, not in files, of f32
// precision. ShapeError if x has another width or reaches beyond max_len.
class SinusoidalPositionalEncoding : public Module<SinusoidalPositionalEncoding> {
 public:
  using ForwardOptions = PositionForwardOptions;

  explicit SinusoidalPositionalEncoding(int64_t d_model, const PositionOptions& options = {});

  Tensor forward(const Tensor& x, const PositionForwardOptions& options = {}) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  Buffer pe;  // (max_len, d_model)
  Dropout dropout;
};

// x (..., T, d_model) + weight[offset : offset + T], with a trained weight that starts from
// normal(0, 0.02), as in BERT and GPT-2. Errors as above.
class LearnedPositionalEmbedding : public Module<LearnedPositionalEmbedding> {
 public:
  using ForwardOptions = PositionForwardOptions;

  explicit LearnedPositionalEmbedding(int64_t d_model, const PositionOptions& options);

  Tensor forward(const Tensor& x, const PositionForwardOptions& options = {}) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  Parameter weight;  // (max_len, d_model)
  Dropout dropout;
};

struct RotaryEmbeddingOptions {
  double base = 10000.0;
  // Which two elements turn together: 2 i and 2 i + 1 (GPT-J), or i and i + dim / 2 (Llama).
  bool interleaved = false;
  int64_t max_len = 2048;
};

struct RotaryForwardOptions {
  int64_t offset = 0;     // the position of the first row, when decoding goes on from a cache
  Tensor positions = {};  // i64, in place of that: broadcasts to x's shape but the last
};

// x (..., T, width) with its first dim elements turned in pairs, pair i by position base^(-2 i /
// dim). Su et al. 2021, arXiv 2104.09864. Nothing is trained or saved; the angles stay exact when
// the model is cast. ConfigError for an odd dim; IndexError for positions beyond max_len.
class RotaryEmbedding : public Module<RotaryEmbedding> {
 public:
  using ForwardOptions = RotaryForwardOptions;

  explicit RotaryEmbedding(int64_t dim, const RotaryEmbeddingOptions& options = {});

  Tensor forward(const Tensor& x, const RotaryForwardOptions& options = {}) const;
  std::string describe() const override;

 private:
  int64_t dim_;
  RotaryEmbeddingOptions options_;
  RotaryTables tables_;   // (max_len, dim / 2), of f64; shared by copies, for nobody writes them
  RotaryTables rounded_;  // the same of f32
};

}  // namespace adjoint::nn
