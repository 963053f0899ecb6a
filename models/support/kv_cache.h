// What Transformers with a cache of keys and values share.
#pragma once

#include <adjoint/models/language_model.h>

#include <cstdint>

namespace adjoint::models {

// Empty, of layers of this shape, (B, heads of keys, longest context, width of one), in the dtype
// that keys of a model of `weights` come in. ShapeError for a batch below 1.
KvCache make_kv_cache(const char* model, int64_t layers, const Shape& shape, DType weights);

// ShapeError unless the cache is of so many layers and of ids' batch.
void check_cache(const char* model, const Tensor& ids, const KvCache& cache, int64_t layers);

// How many tokens the cache, which may be none, has. ShapeError unless ids are (B, T) of i64, and
// with those at most `longest`, the model's field `limit`; AutogradError for a cache while
// gradients are recorded.
int64_t check_context(const char* model, const Tensor& ids, const KvCache* cache, const char* limit,
                      int64_t longest);

// Writes k and v (B, heads, T, width) behind the `past` tokens of the layer; they become all that
// it has then.
void append_to_cache(const KvCache::Layer& layer, int64_t past, Tensor& k, Tensor& v);

}  // namespace adjoint::models
