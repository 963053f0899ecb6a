// Attention.
#include <adjoint/core/attention.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/op.h"
#include "core/ops/attention.h"
#include "core/ops/composed.h"
#include "core/ops/linalg.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// What a call is, beside its tensors.
struct Settings {
  Shape batch;
  AttentionOptions options;  // with its scale, and without tensors
  kernels::RandomKey key;    // of the dropout
};

void check_matrices(const Op& op, const Tensor& q, const Tensor& k, const Tensor& v) {
  op.check(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2, "shapes ", q.shape(), ", ", k.shape(),
           " and ", v.shape(), "; expected (..., L, E), (..., S, E) and (..., S, Ev)");
  op.check(q.size(-1) == k.size(-1), "query of shape ", q.shape(), " and key of shape ", k.shape(),
           " differ in width; expected (..., L, E) and (..., S, E)");
  op.check(k.size(-2) == v.size(-2), "key of shape ", k.shape(), " and value of shape ", v.shape(),
           " differ in length; expected (..., S, E) and (..., S, Ev)");
}

// Checks the other arguments, and returns the whole batch.
Shape check_attention(const Op& op, const Tensor& q, const Tensor& k, const Tensor& v,
                      const AttentionOptions& options) {
  const Shape batch = whole_batch(q, k, v);
  const Tensor &mask = options.mask, &slopes = options.alibi_slopes;
  if (mask.defined()) {
    op.check<ConfigError>(!options.is_causal, "both a mask and is_causal; expected one of them");
    op.check<DTypeError>(mask.dtype() == DType::boolean || is_floating_point(mask.dtype()),
                         "mask of dtype ", mask.dtype(),
                         "; expected bool (true takes part) or a floating dtype (added)");
    const Shape full = matrices_shape(batch, q.size(-2), k.size(-2));
    op.check(broadcast_shapes(op.name(), mask.shape(), full) == full, "mask of shape ",
             mask.shape(), "; expected one that broadcasts to ", full);
  }
  if (slopes.defined()) {
    op.check<DTypeError>(is_floating_point(slopes.dtype()), "alibi_slopes of dtype ",
                         slopes.dtype(), "; expected a floating dtype");
    op.check(broadcast_shapes(op.name(), slopes.shape(), batch) == batch, "alibi_slopes of shape ",
             slopes.shape(), "; expected one that broadcasts to the batch, ", batch);
  }
  op.check<ConfigError>(options.dropout_p >= 0 && options.dropout_p <= 1, "dropout_p is ",
                        options.dropout_p, "; expected a value in [0, 1]");
  op.check<ConfigError>(options.query_offset >= 0, "query_offset is ", options.query_offset,
                        "; expected 0 or more");
  return batch;
}

// x (..., heads, rows, columns) with its heads in groups: (..., groups, heads / groups, rows,
// columns), a view.
Tensor in_groups(const Tensor& x, int64_t groups, int from_end) {
  Shape shape = x.shape();
  const int at = shape.rank() - from_end;
  if (shape[at] == 1) return unsqueeze(x, at);
  shape[at] /= groups;
  shape.insert(at, groups);
  return reshape(x, shape);
}

// Grouped queries (Ainslie et al. 2023, arXiv 2305.13245) are a batch of one dimension more, along
// which keys and values repeat without copies.
Tensor attend_in_groups(const Op& op, const Tensor& q, const Tensor& k, const Tensor& v,
                        const AttentionOptions& options) {
  op.check(q.dim() >= 3 && k.dim() >= 3 && v.dim() >= 3 && k.size(-3) == v.size(-3) &&
               k.size(-3) > 0 && q.size(-3) % k.size(-3) == 0,
           "enable_gqa for query of shape ", q.shape(), ", key of ", k.shape(), " and value of ",
           v.shape(),
           "; expected as many heads of keys as of values, which divide those of queries");
  const int64_t groups = k.size(-3);
  AttentionOptions grouped = options;
  grouped.enable_gqa = false;
  if (options.mask.defined() && options.mask.dim() >= 3) {
    grouped.mask = in_groups(options.mask, groups, 3);
  }
  if (options.alibi_slopes.defined() && options.alibi_slopes.dim() >= 1) {
    grouped.alibi_slopes = in_groups(options.alibi_slopes, groups, 1);
  }
  const Tensor y = scaled_dot_product_attention(in_groups(q, groups, 3), unsqueeze(k, -3),
                                                unsqueeze(v, -3), grouped);
  Shape shape = y.shape();
  const int at = shape.rank() - 4;
  shape[at] *= shape[at + 1];
  shape.erase(at + 1);
  return reshape(y, shape);
}

}  // namespace

Tensor empty_like_layout(const char* name, const Tensor& x, const Shape& shape) {
  const int rank = shape.rank();
  int order[kMaxDims] = {};
  for (int i = 0; i < rank; ++i) order[i] = i;
  bool follows = x.dim() == rank;
  for (int i = 0; follows && i + 1 < rank; ++i) {
    follows = x.shape()[i] == shape[i] && x.strides()[i] > 0;
  }
  if (follows) {
    sort_dims(order, rank - 1, [&x](int a, int b) { return x.strides()[a] > x.strides()[b]; });
  }
  Shape in_memory;
  for (int i = 0; i < rank; ++i) in_memory.push_back(shape[order[i]]);
  const Tensor packed = make_empty(name, in_memory, x.dtype());
  const Strides packed_strides = contiguous_strides(in_memory);
  Strides strides = Strides::filled(rank, 0);
  for (int i = 0; i < rank; ++i) strides[order[i]] = packed_strides[i];
  return make_view(packed, shape, strides, 0);
}

namespace {

// x as the kernel sees it, broadcast to the batch; also to the given rows and columns.
kernels::Matrices matrices(const Tensor& x, const Shape& batch) {
  kernels::Matrices m{};
  if (!x.defined()) return m;
  const auto stride = [&x](int from_end) -> int64_t {
    const int d = x.dim() - from_end;
    return d < 0 || x.shape()[d] == 1 ? 0 : x.strides()[d];
  };
  m.data = x.impl()->bytes();
  m.row = stride(2);
  m.col = x.dim() >= 1 && x.shape().back() == 1 ? 1 : stride(1);
  for (int i = 0; i < batch.rank(); ++i) m.batch[i] = stride(batch.rank() - i + 2);
  return m;
}

uint32_t threshold_of(double p) { return static_cast<uint32_t>(std::floor(p * 0x1p32)); }

kernels::Attention attention_of(const Settings& s, const Tensor& q, const Tensor& k,
                                const Tensor& v, const Tensor& mask, const Tensor& slopes) {
  kernels::Attention op{};
  op.l = q.size(-2);
  op.s = k.size(-2);
  op.e = q.size(-1);
  op.ev = v.size(-1);
  op.batch_rank = s.batch.rank();
  std::copy(s.batch.begin(), s.batch.end(), op.batch);
  op.scale = *s.options.scale;
  const int64_t offset = std::min(s.options.query_offset, kernels::kEveryKey);
  const AttentionWindow window = window_of(s.options);
  op.first =
      window.left < 0 ? -kernels::kEveryKey : offset - std::min(window.left, kernels::kEveryKey);
  op.last =
      window.right < 0 ? kernels::kEveryKey : offset + std::min(window.right, kernels::kEveryKey);
  op.position = offset;
  op.q = matrices(q, s.batch);
  op.k = matrices(k, s.batch);
  op.v = matrices(v, s.batch);
  op.mask_kind = !mask.defined()                  ? kernels::MaskKind::none
                 : mask.dtype() == DType::boolean ? kernels::MaskKind::boolean
                                                  : kernels::MaskKind::additive;
  op.mask = matrices(mask, s.batch);
  if (mask.defined() && mask.dim() >= 1 && mask.shape().back() == 1 && op.s != 1) op.mask.col = 0;
  if (slopes.defined()) {
    const Shape each = matrices_shape(slopes.shape(), 1, 1);
    Strides strides = slopes.strides();
    strides.push_back(0);
    strides.push_back(0);
    op.slopes = matrices(make_view(slopes, each, strides, slopes.impl()->offset), s.batch);
  }
  const double p = s.options.dropout_p;
  op.has_dropout = p > 0;
  op.dropout = {s.key, threshold_of(p), 1 / (1 - p)};
  return op;
}

struct AttentionSaved {
  SavedTensor q, k, v, mask, slopes, out;
  Tensor logsumexp;  // made here and never seen by anybody else
  Settings settings;
};

// As if the four had been written out: differentiable again, with the same dropout.
Grads recorded_gradients(const AttentionSaved& s, const Tensor& dy) {
  const Settings& settings = s.settings;
  const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    Generator generator(settings.key.seed, settings.key.stream);
    AttentionOptions options = settings.options;
    options.mask = in[3];
    options.alibi_slopes = *s.slopes;
    options.generator = &generator;
    return {composed::scaled_dot_product_attention(in[0], in[1], in[2], options)};
  };
  return Grads(vjp(definition, {*s.q, *s.k, *s.v, *s.mask}, {dy}).second);
}

Grads fused_gradients(const AttentionSaved& s, const Backward& b) {
  const Tensor q = *s.q, k = *s.k, v = *s.v, mask = *s.mask, slopes = *s.slopes;
  const Shape& batch = s.settings.batch;
  const int64_t l = q.size(-2), keys = k.size(-2);
  Tensor dy = b.dy(0), dq, dk, dv, dmask;
  if (dy.strides().back() != 1) dy = row_major(dy);
  const Tensor out = *s.out;
  kernels::Attention op = attention_of(s.settings, q, k, v, mask, slopes);
  op.out = matrices(out, batch);
  op.dout = matrices(dy, batch);
  op.logsumexp = s.logsumexp.impl()->bytes();
  const auto make = [&](const Tensor& x, int64_t rows, int64_t columns) {
    return empty_like_layout(kAttention, x, matrices_shape(batch, rows, columns));
  };
  if (b.needs(0)) dq = make(q, l, q.size(-1));
  if (b.needs(1)) dk = make(k, keys, q.size(-1));
  if (b.needs(2)) dv = make(v, keys, v.size(-1));
  // Zeros: tiles outside a window are skipped.
  if (mask.defined() && b.needs(3)) dmask = zeros(matrices_shape(batch, l, keys), q.dtype());
  op.dq = matrices(dq, batch);
  op.dk = matrices(dk, batch);
  op.dv = matrices(dv, batch);
  op.dmask = matrices(dmask, batch);
  kernel_table().attention.backward[static_cast<int>(q.dtype())](KernelScope(), op);
  return {dq, dk, dv, dmask};
}

Tensor in_dtype(const Tensor& x, DType dtype) {
  return x.defined() && x.dtype() != DType::boolean ? to(x, dtype) : x;
}

// Whether keys and values of bf16 are read as they are: for a token that is generated, whose time
// is that of reading them.
bool reads_caches(const Op& op, const Tensor& q, const Tensor& k, const Tensor& v) {
  const Settings plain{{}, {.scale = 1.0}, {}};
  return !op.recording() && k.dtype() == DType::bf16 &&
         kernels::is_query(attention_of(plain, q, k, v, {}, {}));
}

// All of the dtype that is computed in; keys and values may be of bf16 where reads_caches().
Tensor attend(const Op& op, const Shape& batch, const Tensor& query, const Tensor& key,
              const Tensor& value, const AttentionOptions& options) {
  const Tensor& mask = options.mask;
  Tensor slopes = options.alibi_slopes;
  if (slopes.defined()) slopes = rounded(slopes, query.dtype());
  Settings settings{batch, options, {}};
  settings.options.mask = settings.options.alibi_slopes = {};
  settings.options.generator = nullptr;
  settings.options.scale =
      options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  if (options.dropout_p > 0) {
    Generator& generator = options.generator != nullptr ? *options.generator : default_generator();
    settings.key = {generator.seed(), generator.next_stream()};
  }
  const int64_t l = query.size(-2);
  Tensor y = empty_like_layout(kAttention, query, matrices_shape(batch, l, value.size(-1)));
  Tensor logsumexp;
  kernels::Attention attention = attention_of(settings, query, key, value, mask, slopes);
  attention.out = matrices(y, batch);
  if (op.recording()) {
    logsumexp = make_empty(kAttention, {batch.numel(), l}, query.dtype());
    attention.logsumexp = logsumexp.impl()->bytes();
  }
  const kernels::AttentionTable& table = kernel_table().attention;
  const auto forward = key.dtype() == query.dtype() ? table.forward[static_cast<int>(key.dtype())]
                                                    : table.query_bf16;
  forward(KernelScope(), attention);
  AttentionSaved saved{op.save(query),
                       op.save(key),
                       op.save(value),
                       op.save_if(mask.defined(), mask),
                       op.save_if(slopes.defined(), slopes),
                       op.save_output(y),
                       logsumexp,
                       settings};
  return op.differentiable(y, [s = std::move(saved)](const Backward& b) -> Grads {
    return grad_enabled() ? recorded_gradients(s, b.dy(0)) : fused_gradients(s, b);
  });
}

}  // namespace

// P = softmax(S) with S = scale q k^T + mask - slope |distance|, out = P v;   dv = P^T dout,
// dP = dout v^T, dS = P (dP - rowsum(dout out)), dq = scale dS k, dk = scale dS^T q, dmask = dS
//
// The output's dimensions lie in memory as the query's: where heads were taken from (B, T, H, E) by
// transpose(1, 2), transposing back and reshaping to (B, T, C) is a view.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options) {
  const Op op(kAttention, {query, key, value, optional_input(options.mask)},
              {{"dropout_p", options.dropout_p},
               {"is_causal", options.is_causal},
               {"enable_gqa", options.enable_gqa}});
  check_matrices(op, query, key, value);
  if (options.enable_gqa) return attend_in_groups(op, query, key, value, options);
  const Shape batch = check_attention(op, query, key, value, options);
  const DType promoted = linalg::product_dtype(op, {&query, &key, &value});
  const DType dtype = op.computes_in(promoted, Casts::product);
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype");
  const Tensor& mask = options.mask;
  const bool mask_fits = !mask.defined() || mask.dtype() == DType::boolean || mask.dtype() == dtype;
  if (query.dtype() != dtype || key.dtype() != dtype || value.dtype() != dtype || !mask_fits) {
    AttentionOptions cast = options;
    cast.mask = in_dtype(mask, dtype);
    return scaled_dot_product_attention(to(query, dtype), to(key, dtype), to(value, dtype), cast);
  }
  // Slopes are constants to the kernels; whoever trains them gets the definition's gradients.
  const Tensor& slopes = options.alibi_slopes;
  const bool trains_slopes = slopes.defined() && wants_grad(slopes) && grad_enabled();
  const bool keeps_any = std::floor(options.dropout_p * 0x1p32) < 0x1p32;
  if (const DType wide = computed_in(dtype); wide != dtype) {
    const Autocast off(false);
    AttentionOptions cast = options;
    cast.mask = in_dtype(mask, wide);
    const Tensor q = to(query, wide);
    if (keeps_any && !trains_slopes && reads_caches(op, q, key, value)) {
      return to(attend(op, batch, q, key, value, cast), dtype);
    }
    return to(scaled_dot_product_attention(q, to(key, wide), to(value, wide), cast), dtype);
  }
  if (!keeps_any || trains_slopes) {
    return composed::scaled_dot_product_attention(query, key, value, options);
  }
  return attend(op, batch, query, key, value, options);
}

}  // namespace adjoint
