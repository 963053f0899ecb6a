// What is around an input of N sizes, (N, C, sizes...) or (C, sizes...). `padding` is one number
// for all sides, or two for each size, from the last one on, as the operator pad takes them:
// ZeroPad2d({left, right, top, bottom}). Negative ones cut off.
#pragma once

#include <adjoint/core/layout.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

enum class PadKind : uint8_t { zero, reflection, replication, circular };

// ConfigError for another count of numbers.
template <int N, PadKind Kind>
class Pad : public Module<Pad<N, Kind>> {
 public:
  explicit Pad(const Shape& padding);
  Tensor forward(const Tensor& x) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape padding_;
};

template <int N>
class ConstantPad : public Module<ConstantPad<N>> {
 public:
  ConstantPad(const Shape& padding, double value);
  Tensor forward(const Tensor& x) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape padding_;
  double value_;
};

extern template class Pad<1, PadKind::zero>;
extern template class Pad<2, PadKind::zero>;
extern template class Pad<3, PadKind::zero>;
extern template class Pad<1, PadKind::reflection>;
extern template class Pad<2, PadKind::reflection>;
extern template class Pad<3, PadKind::reflection>;
extern template class Pad<1, PadKind::replication>;
extern template class Pad<2, PadKind::replication>;
extern template class Pad<3, PadKind::replication>;
extern template class Pad<1, PadKind::circular>;
extern template class Pad<2, PadKind::circular>;
extern template class Pad<3, PadKind::circular>;
extern template class ConstantPad<1>;
extern template class ConstantPad<2>;
extern template class ConstantPad<3>;
using ZeroPad1d = Pad<1, PadKind::zero>;
using ZeroPad2d = Pad<2, PadKind::zero>;
using ZeroPad3d = Pad<3, PadKind::zero>;
using ReflectionPad1d = Pad<1, PadKind::reflection>;
using ReflectionPad2d = Pad<2, PadKind::reflection>;
using ReflectionPad3d = Pad<3, PadKind::reflection>;
using ReplicationPad1d = Pad<1, PadKind::replication>;
using ReplicationPad2d = Pad<2, PadKind::replication>;
using ReplicationPad3d = Pad<3, PadKind::replication>;
using CircularPad1d = Pad<1, PadKind::circular>;
using CircularPad2d = Pad<2, PadKind::circular>;
using CircularPad3d = Pad<3, PadKind::circular>;
using ConstantPad1d = ConstantPad<1>;
using ConstantPad2d = ConstantPad<2>;
using ConstantPad3d = ConstantPad<3>;

}  // namespace adjoint::nn
