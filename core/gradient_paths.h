// Where the gradients of leaves get lost: what operators made of them, and where their history
// ends.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace adjoint {

// A place beyond which a leaf has no influence that backward could follow.
struct PathEnd {
  enum class Kind {
    no_gradient,   // the operator's result has none: a comparison, indices
    no_grad_mode,  // it ran under NoGrad
    detached,      // it was given a detached tensor
    backward,      // its backward gave no gradient
    unreached,     // its result was used no further: not on the way to what backward began with
  };
  Kind kind;
  std::string op;
  std::string module;  // the path of the module that ran it; "" outside of modules

  bool operator==(const PathEnd& other) const = default;
};

// "ends at 'argmax' in head, whose result has no gradient".
std::string to_string(const PathEnd& end);

// Follows leaves through the operators that this thread runs while it lives: for one step of
// training, since it remembers every result. Forwards that checkpoint() runs again do not count.
class GradientPaths {
 public:
  explicit GradientPaths(const std::vector<Tensor>& leaves);
  ~GradientPaths();
  GradientPaths(const GradientPaths&) = delete;
  GradientPaths& operator=(const GradientPaths&) = delete;

  // Whether an operator has read leaf i.
  bool used(size_t i) const;
  // Each different end of leaf i's paths, in the order in which they were met, then those that are
  // unreached so far.
  std::vector<PathEnd> ends(size_t i) const;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace adjoint
