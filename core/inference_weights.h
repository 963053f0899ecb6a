// Weights in fewer bytes, for inference: generating a token reads every weight once, so the time is
// that of reading them.
//
//   const NoGrad no_grad;
//   const InferenceWeights weights(WeightFormat::int8);
//   Tensor logits = model.next_logits(ids, cache);   // half (bf16) or a quarter (int8) of the
//   bytes
#pragma once

#include <cstdint>

namespace adjoint {

// bf16: a weight rounded to the nearest bf16.
// int8: whole numbers in [-127, 127] times a scale for each row of a (out, in) weight, the row's
//       largest magnitude / 127, rounded to nearest: off by half a scale at most. A row with a
//       value that is not finite gives NaN.
// Inputs, sums and results stay f32.
enum class WeightFormat : uint8_t { f32, bf16, int8 };

// "f32", "bf16", "int8".
const char* name(WeightFormat format);

// What `linear` takes on this thread for an f32 weight while nothing is recorded: the weight itself
// by default, and wherever gradients are enabled.
WeightFormat inference_weights();

// Sets it while it lives; restores what was before. A parallel_for hands it to its tasks.
//
// The first product with a weight makes a copy of it in that format, beside the f32 one (which
// embeddings, saving and training read): memory grows by half or a quarter of the weight's bytes,
// and counts in memory_stats(). The copy goes when the weight is written or freed. Any threads may
// share a model. Results do not depend on the number of rows of the input nor on threads: a prompt
// and the tokens after it see the same weights.
class InferenceWeights {
 public:
  explicit InferenceWeights(WeightFormat weights);
  ~InferenceWeights();
  InferenceWeights(const InferenceWeights&) = delete;
  InferenceWeights& operator=(const InferenceWeights&) = delete;

 private:
  WeightFormat before_;
};

}  // namespace adjoint
