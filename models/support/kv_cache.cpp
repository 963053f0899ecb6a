#include "models/support/kv_cache.h"

#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>

namespace adjoint::models {

KvCache make_kv_cache(const char* model, int64_t layers, const Shape& shape, DType weights) {
  check<ShapeError>(shape[0] >= 1, model, "::make_cache: batch ", shape[0],
                    "; expected at least 1");
  // What keys and values come in: autocast computes them in bf16.
  const DType dtype = autocast_enabled() && weights == DType::f32 ? DType::bf16 : weights;
  KvCache cache;
  for (int64_t i = 0; i < layers; ++i) {
    cache.layers.push_back({empty(shape, dtype), empty(shape, dtype)});
  }
  return cache;
}

void check_cache(const char* model, const Tensor& ids, const KvCache& cache, int64_t layers) {
  const Shape shape = cache.layers.empty() ? Shape{} : cache.layers[0].keys.shape();
  check<ShapeError>(static_cast<int64_t>(cache.layers.size()) == layers && ids.dim() == 2 &&
                        shape[0] == ids.size(0),
                    model, "::next_logits: ids of shape ", ids.shape(), " and a cache of ",
                    cache.layers.size(), " layers of shape ", shape,
                    "; expected make_cache(B) for ids (B, T)");
}

int64_t check_context(const char* model, const Tensor& ids, const KvCache* cache, const char* limit,
                      int64_t longest) {
  check<ShapeError>(ids.dim() == 2 && ids.dtype() == DType::i64, model, ": ids of shape ",
                    ids.shape(), " and dtype ", ids.dtype(), "; expected (B, T) of i64");
  check<AutogradError>(cache == nullptr || !grad_enabled(), model,
                       ": a cache while gradients are recorded, which cannot flow through it; "
                       "expected NoGrad");
  const int64_t past = cache == nullptr ? 0 : cache->length, t = ids.size(1);
  check<ShapeError>(t >= 1 && past + t <= longest, model, ": ", t, " tokens after ", past,
                    "; expected at least one and together at most ", limit, ", ", longest);
  return past;
}

void append_to_cache(const KvCache::Layer& layer, int64_t past, Tensor& k, Tensor& v) {
  const int64_t all = past + k.size(2);
  copy_(slice(layer.keys, 2, past, all), k);
  copy_(slice(layer.values, 2, past, all), v);
  k = slice(layer.keys, 2, 0, all);
  v = slice(layer.values, 2, 0, all);
}

}  // namespace adjoint::models
