#include <adjoint/nn/padding.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {
namespace {

using detail::ranked;

Shape both_sides(const std::string& name, const Shape& padding, int sizes) {
  return detail::each(name, "padding", padding, 2 * sizes, INT64_MIN);
}

std::vector<int64_t> listed(const Shape& padding) { return {padding.begin(), padding.end()}; }

}  // namespace

template <int N, PadKind Kind>
Pad<N, Kind>::Pad(const Shape& padding) : padding_(both_sides(type_name(), padding, N)) {}

template <int N, PadKind Kind>
Tensor Pad<N, Kind>::forward(const Tensor& x) const {
  constexpr PadMode mode = Kind == PadKind::zero          ? PadMode::constant
                           : Kind == PadKind::reflection  ? PadMode::reflect
                           : Kind == PadKind::replication ? PadMode::replicate
                                                          : PadMode::circular;
  return pad(x, listed(padding_), mode);
}

template <int N, PadKind Kind>
std::string Pad<N, Kind>::type_name() const {
  constexpr const char* name = Kind == PadKind::zero          ? "ZeroPad"
                               : Kind == PadKind::reflection  ? "ReflectionPad"
                               : Kind == PadKind::replication ? "ReplicationPad"
                                                              : "CircularPad";
  return ranked<N>(name);
}

template <int N, PadKind Kind>
std::string Pad<N, Kind>::describe() const {
  return to_string(padding_);
}

template <int N>
ConstantPad<N>::ConstantPad(const Shape& padding, double value)
    : padding_(both_sides(type_name(), padding, N)), value_(value) {}

template <int N>
Tensor ConstantPad<N>::forward(const Tensor& x) const {
  return pad(x, listed(padding_), PadMode::constant, value_);
}

template <int N>
std::string ConstantPad<N>::type_name() const {
  return ranked<N>("ConstantPad");
}

template <int N>
std::string ConstantPad<N>::describe() const {
  return detail::Description()("padding", padding_)("value", value_);
}

template class Pad<1, PadKind::zero>;
template class Pad<2, PadKind::zero>;
template class Pad<3, PadKind::zero>;
template class Pad<1, PadKind::reflection>;
template class Pad<2, PadKind::reflection>;
template class Pad<3, PadKind::reflection>;
template class Pad<1, PadKind::replication>;
template class Pad<2, PadKind::replication>;
template class Pad<3, PadKind::replication>;
template class Pad<1, PadKind::circular>;
template class Pad<2, PadKind::circular>;
template class Pad<3, PadKind::circular>;
template class ConstantPad<1>;
template class ConstantPad<2>;
template class ConstantPad<3>;

}  // namespace adjoint::nn
