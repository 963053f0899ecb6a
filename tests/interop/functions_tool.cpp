// What functions.py calls:
//
//   functions_tool IN OUT   IN has the tensors x and a, b; OUT gets NAME of every function of x and
//                           of a and b, and its gradients NAME.d0, NAME.d1 where it has some
#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/safetensors.h>

#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <vector>

namespace adjoint {
namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);

const std::map<std::string, Unary> kReal = {
    {"sign", &sign},
    {"exp2", &exp2},
    {"expm1", &expm1},
    {"log2", &log2},
    {"log10", &log10},
    {"log1p", &log1p},
    {"rsqrt", &rsqrt},
    {"tan", &tan},
    {"asin", &asin},
    {"acos", &acos},
    {"atan", &atan},
    {"sinh", &sinh},
    {"cosh", &cosh},
    {"asinh", &asinh},
    {"acosh", &acosh},
    {"atanh", &atanh},
    {"erfinv", &erfinv},
    {"lgamma", &lgamma},
    {"digamma", &digamma},
    {"logit", [](const Tensor& x) { return logit(x); }},
    {"logit 0.1", [](const Tensor& x) { return logit(x, 0.1); }},
    {"signbit", &signbit},
    {"floor", &floor},
    {"ceil", &ceil},
    {"trunc", &trunc},
    {"frac", &frac},
    {"round", [](const Tensor& x) { return round(x); }},
    {"round 2", [](const Tensor& x) { return round(x, 2); }},
    {"round -1", [](const Tensor& x) { return round(x, -1); }},
    {"isnan", &isnan},
    {"isinf", &isinf},
    {"isfinite", &isfinite},
    {"logical_not", &logical_not},
    {"nan_to_num", [](const Tensor& x) { return nan_to_num(x); }},
    {"nan_to_num 1 2 -3", [](const Tensor& x) { return nan_to_num(x, 1.0, 2.0, -3.0); }},
    {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 1.0); }},
    {"clamp nan", [](const Tensor& x) { return clamp(x, __builtin_nan(""), 1.0); }},
    {"clamp reversed", [](const Tensor& x) { return clamp(x, 1.0, -0.5); }},
    {"clamp_min", [](const Tensor& x) { return clamp_min(x, 0.5); }},
    {"clamp_max", [](const Tensor& x) { return clamp_max(x, 0.5); }},
    {"clamp -inf 0.5", [](const Tensor& x) { return clamp(x, -__builtin_inf(), 0.5); }},
    {"clamp_min inf", [](const Tensor& x) { return clamp_min(x, __builtin_inf()); }},
    {"abs", &abs},
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x); }},
    {"leaky_relu -0.1", [](const Tensor& x) { return leaky_relu(x, -0.1); }},
    {"relu6", &relu6},
    {"elu", [](const Tensor& x) { return elu(x); }},
    {"elu 0.7", [](const Tensor& x) { return elu(x, 0.7); }},
    {"selu", &selu},
    {"celu 0.7", [](const Tensor& x) { return celu(x, 0.7); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"gelu tanh", [](const Tensor& x) { return gelu(x, Gelu::tanh); }},
    {"mish", &mish},
    {"hardtanh", [](const Tensor& x) { return hardtanh(x); }},
    {"hardsigmoid", &hardsigmoid},
    {"hardswish", &hardswish},
    {"softplus", [](const Tensor& x) { return softplus(x); }},
    {"softplus 2 3", [](const Tensor& x) { return softplus(x, 2.0, 3.0); }},
    {"softsign", &softsign},
    {"softshrink", [](const Tensor& x) { return softshrink(x); }},
    {"hardshrink", [](const Tensor& x) { return hardshrink(x); }},
    {"tanhshrink", &tanhshrink},
    {"logsigmoid", &logsigmoid},
    {"threshold", [](const Tensor& x) { return threshold(x, 0.5, -2.0); }},
    {"rrelu", [](const Tensor& x) { return rrelu(x); }},
    {"glu", [](const Tensor& x) { return glu(x); }},
    {"fmod 0.75", [](const Tensor& x) { return fmod(x, 0.75); }},
    {"remainder -0.75", [](const Tensor& x) { return remainder(x, -0.75); }},
    {"floor_divide 0.75", [](const Tensor& x) { return floor_divide(x, 0.75); }},
    {"copysign -0.0", [](const Tensor& x) { return copysign(x, -0.0); }},
    {"xlogy 2", [](const Tensor& x) { return xlogy(x, 2.0); }},
};

const std::map<std::string, Binary> kRealPairs = {
    {"fmod", &fmod},
    {"remainder", &remainder},
    {"floor_divide", &floor_divide},
    {"copysign", &copysign},
    {"fmax", &fmax},
    {"fmin", &fmin},
    {"heaviside", &heaviside},
    {"hypot", &hypot},
    {"atan2", &atan2},
    {"logaddexp", &logaddexp},
    {"logaddexp2", &logaddexp2},
    {"xlogy", &xlogy},
    {"logical_and", &logical_and},
    {"logical_or", &logical_or},
    {"logical_xor", &logical_xor},
    {"maximum", &maximum},
    {"minimum", &minimum},
    {"l1_loss", [](const Tensor& a, const Tensor& b) { return l1_loss(a, b, Reduction::none); }},
    {"smooth_l1_loss",
     [](const Tensor& a, const Tensor& b) { return smooth_l1_loss(a, b, Reduction::none); }},
    {"smooth_l1_loss 0",
     [](const Tensor& a, const Tensor& b) { return smooth_l1_loss(a, b, Reduction::none, 0.0); }},
    {"huber_loss 0.5",
     [](const Tensor& a, const Tensor& b) { return huber_loss(a, b, Reduction::none, 0.5); }},
    {"hinge_embedding_loss",
     [](const Tensor& a, const Tensor& b) {
       return hinge_embedding_loss(a, where(b > 0.0, ones_like(b), -1.0), 0.5, Reduction::none);
     }},
    {"margin_ranking_loss",
     [](const Tensor& a, const Tensor& b) {
       return margin_ranking_loss(a, b, where(b > 0.0, ones_like(b), -1.0), 0.5, Reduction::none);
     }},
    {"lerp 0.25", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.25); }},
    {"lerp 0.75", [](const Tensor& a, const Tensor& b) { return lerp(a, b, 0.75); }},
    {"lerp", [](const Tensor& a, const Tensor& b) { return lerp(a, b, b); }},
    {"addcmul", [](const Tensor& a, const Tensor& b) { return addcmul(a, a, b, 0.5); }},
    {"addcdiv", [](const Tensor& a, const Tensor& b) { return addcdiv(a, a, b, 0.5); }},
    {"clamp_min pair", [](const Tensor& a, const Tensor& b) { return clamp_min(a, b); }},
    {"clamp_max pair", [](const Tensor& a, const Tensor& b) { return clamp_max(a, b); }},
    {"clamp pair", [](const Tensor& a, const Tensor& b) { return clamp(a, b, -b); }},
    {"prelu", [](const Tensor& a, const Tensor& b) { return prelu(a, slice(b, 0, 20, 21)); }},
};

const std::map<std::string, Unary> kWhole = {
    {"sign", &sign},
    {"floor", &floor},
    {"round", [](const Tensor& x) { return round(x); }},
    {"isnan", &isnan},
    {"isfinite", &isfinite},
    {"logical_not", &logical_not},
    {"bitwise_not", &bitwise_not},
    {"lgamma", &lgamma},
    {"signbit", &signbit},
    {"clamp", [](const Tensor& x) { return clamp(x, -2, 3); }},
    {"clamp 0.5", [](const Tensor& x) { return clamp(x, 0.5); }},
    {"sinh", &sinh},
    {"expm1", &expm1},
    {"bitwise_left_shift 3", [](const Tensor& x) { return bitwise_left_shift(x, 3); }},
    {"bitwise_right_shift 3", [](const Tensor& x) { return bitwise_right_shift(x, 3); }},
};

// b has no zero, by which PyTorch refuses to divide.
const std::map<std::string, Binary> kWholePairs = {
    {"fmod", &fmod},
    {"remainder", &remainder},
    {"floor_divide", &floor_divide},
    {"copysign", &copysign},
    {"atan2", &atan2},
    {"fmax", &fmax},
    {"fmin", &fmin},
    {"heaviside", &heaviside},
    {"xlogy", &xlogy},
    {"logical_and", &logical_and},
    {"logical_xor", &logical_xor},
    {"bitwise_and", [](const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }},
    {"bitwise_or", [](const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }},
    {"bitwise_xor", [](const Tensor& a, const Tensor& b) { return bitwise_xor(a, b); }},
    {"addcmul", [](const Tensor& a, const Tensor& b) { return addcmul(a, a, b); }},
};

void put(std::map<std::string, Tensor>& out, const std::string& name, const Tensor& y,
         const std::vector<Tensor>& inputs) {
  out[name] = y.detach().contiguous();
  if (!y.requires_grad()) return;
  backward({y}, {ones(y.shape(), y.dtype())});
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].grad().defined()) continue;
    out[name + ".d" + std::to_string(i)] = inputs[i].grad().detach().contiguous();
    inputs[i].zero_grad();
  }
}

void run(const std::string& from, const std::string& to) {
  std::map<std::string, Tensor> in = load_safetensors(from), out;
  const Tensor x = in.at("x"), a = in.at("a"), b = in.at("b");
  const bool real = is_floating_point(x.dtype());
  if (real) {
    for (const Tensor& one : {x, a, b}) one.requires_grad_();
  }
  for (const auto& [name, f] : real ? kReal : kWhole) put(out, name, f(x), {x});
  for (const auto& [name, f] : real ? kRealPairs : kWholePairs) put(out, name, f(a, b), {a, b});
  save_safetensors(to, out);
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: functions_tool IN OUT\n");
    return 2;
  }
  try {
    adjoint::run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "functions_tool: %s\n", error.what());
    return 1;
  }
}
