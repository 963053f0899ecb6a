// How much the operators of a piece of a program multiply.
#pragma once

#include <cstdint>
#include <memory>

namespace adjoint {

// Counts the multiply-adds (a b + c is one) of the products that this thread computes while it
// lives: matrix products, linear layers, convolutions, attention. What operators do element by
// element, a bias too, does not count, and nothing is subtracted for what a mask hides. Backwards
// that run meanwhile count as the products that they are made of, where operators compute them.
class MultiplyAddCounter {
 public:
  MultiplyAddCounter();
  ~MultiplyAddCounter();
  MultiplyAddCounter(const MultiplyAddCounter&) = delete;
  MultiplyAddCounter& operator=(const MultiplyAddCounter&) = delete;

  int64_t count() const;

 private:
  class Watch;
  std::unique_ptr<Watch> watch_;
};

}  // namespace adjoint
