#include <adjoint/core/dropout.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/position.h>

#include <cmath>
#include <sstream>

namespace adjoint::nn {
namespace {

void check_sizes(const char* layer, int64_t d_model, const PositionOptions& options) {
  check<ConfigError>(d_model >= 1 && options.max_len >= 1, layer, ": d_model ", d_model,
                     ", max_len ", options.max_len, "; expected 1 or more");
}

// The rows of the table that stand for x's positions.
Tensor rows(const char* layer, const Tensor& table, const Tensor& x, int64_t offset) {
  const int64_t max_len = table.size(0), d_model = table.size(1);
  check<ShapeError>(x.dim() >= 2 && x.size(-1) == d_model, layer, ": input of shape ", x.shape(),
                    "; expected (..., length, ", d_model, ")");
  const int64_t length = x.size(-2);
  check<ShapeError>(offset >= 0 && length <= max_len && offset <= max_len - length, layer,
                    ": length ", length, " from position ", offset, "; expected to end at ",
                    max_len, " (max_len) or before");
  return slice(table, 0, offset, offset + length);
}

std::string describe_table(const SlotHandle& table) {
  return std::to_string(table.size(1)) + ", max_len=" + std::to_string(table.size(0));
}

Tensor sinusoids(int64_t max_len, int64_t d_model) {
  Tensor table = empty({max_len, d_model});
  auto* out = table.mutable_data<float>();
  for (int64_t column = 0; column < d_model; ++column) {
    const double pair = static_cast<double>(column - column % 2);
    const double rate = std::pow(10000.0, -pair / static_cast<double>(d_model));
    for (int64_t position = 0; position < max_len; ++position) {
      const double angle = static_cast<double>(position) * rate;
      out[position * d_model + column] =
          static_cast<float>(column % 2 == 0 ? std::sin(angle) : std::cos(angle));
    }
  }
  return table;
}

}  // namespace

SinusoidalPositionalEncoding::SinusoidalPositionalEncoding(int64_t d_model,
                                                           const PositionOptions& options)
    : dropout(options.dropout) {
  check_sizes("SinusoidalPositionalEncoding", d_model, options);
  pe = Buffer(sinusoids(options.max_len, d_model), false);
}

Tensor SinusoidalPositionalEncoding::forward(const Tensor& x,
                                             const PositionForwardOptions& options) const {
  return dropout(x + rows("SinusoidalPositionalEncoding", pe, x, options.offset));
}

void SinusoidalPositionalEncoding::members(Visitor& v) {
  v("pe", pe);
  v("dropout", dropout);
}

std::string SinusoidalPositionalEncoding::describe() const { return describe_table(pe); }

LearnedPositionalEmbedding::LearnedPositionalEmbedding(int64_t d_model,
                                                       const PositionOptions& options)
    : dropout(options.dropout) {
  check_sizes("LearnedPositionalEmbedding", d_model, options);
  weight = Parameter(empty({options.max_len, d_model}));
  init::normal_(weight, 0, 0.02);
}

Tensor LearnedPositionalEmbedding::forward(const Tensor& x,
                                           const PositionForwardOptions& options) const {
  return dropout(x + rows("LearnedPositionalEmbedding", weight, x, options.offset));
}

void LearnedPositionalEmbedding::members(Visitor& v) {
  v("weight", weight);
  v("dropout", dropout);
}

std::string LearnedPositionalEmbedding::describe() const { return describe_table(weight); }

RotaryEmbedding::RotaryEmbedding(int64_t dim, const RotaryEmbeddingOptions& options)
    : dim_(dim), options_(options) {
  check<ConfigError>(dim >= 2 && dim % 2 == 0 && options.max_len >= 1, "RotaryEmbedding: dim ", dim,
                     ", max_len ", options.max_len,
                     "; expected an even dim, 2 or more, and 1 or more");
  tables_ = rotary_tables(options.max_len, dim, options.base, 0, DType::f64);
  rounded_ = {tables_.cos.to(DType::f32), tables_.sin.to(DType::f32)};
}

Tensor RotaryEmbedding::forward(const Tensor& x, const RotaryForwardOptions& options) const {
  const RotaryTables& tables = x.dtype() == DType::f64 ? tables_ : rounded_;
  return rotary_embedding(x, tables.cos, tables.sin,
                          {.interleaved = options_.interleaved,
                           .offset = options.offset,
                           .positions = options.positions});
}

std::string RotaryEmbedding::describe() const {
  std::ostringstream out;
  out << dim_ << ", base=" << options_.base << ", max_len=" << options_.max_len
      << ", interleaved=" << (options_.interleaved ? "True" : "False");
  return out.str();
}

}  // namespace adjoint::nn
