// Rows of pools and pads, activations, losses and distances.
#include <adjoint/core/layout.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/loss.h>
#include <adjoint/nn/padding.h>
#include <adjoint/nn/pooling.h>

#include "tests/nn/modules/table.h"

namespace adjoint::nn::table {
namespace {

using catalog::indices;

// Values and indices, as PyTorch's return_indices.
template <class Pool, class F>
Row indexed(std::string torch, F make, Tensors inputs) {
  return with_call<Pool>(row(std::move(torch), make, std::move(inputs)), "m(*x)",
                         [](const Pool& m, const Tensors& x) {
                           Tensor indices;
                           const Tensor y = m(x[0], {.indices = &indices});
                           return Tensors{y, indices};
                         });
}

void add_max_pools(std::vector<Row>& rows) {
  rows.push_back(row("nn.MaxPool1d(2)", [] { return MaxPool1d(2); }, {signs({2, 2, 7})}));
  rows.push_back(row(
      "nn.MaxPool1d(3, stride=2, padding=1, dilation=2, ceil_mode=True)",
      [] { return MaxPool1d(3, {.stride = 2, .padding = 1, .dilation = 2, .ceil_mode = true}); },
      {signs({2, 8})}));
  rows.push_back(row("nn.MaxPool2d((3, 2), stride=(2, 1), padding=(1, 0))",
                     [] {
                       return MaxPool2d({3, 2}, {.stride = {2, 1}, .padding = {1, 0}});
                     },
                     {signs({1, 2, 5, 4})}));
  rows.push_back(indexed<MaxPool2d>("nn.MaxPool2d(2, return_indices=True)",
                                    [] { return MaxPool2d(2); }, {signs({1, 2, 4, 5})}));
  rows.push_back(row("nn.MaxPool3d(2)", [] { return MaxPool3d(2); }, {signs({1, 1, 2, 4, 5})}));
  rows.push_back(row("nn.MaxUnpool1d(2)", [] { return MaxUnpool1d(2); },
                     {signs({1, 2, 3}), tensor<int64_t>({0, 3, 4, 1, 2, 5}, {1, 2, 3})}));
  rows.push_back(with_call<MaxUnpool2d>(
      row("nn.MaxUnpool2d(2, stride=2)", [] { return MaxUnpool2d(2, {.stride = 2}); },
          {signs({1, 1, 2, 2}), tensor<int64_t>({1, 7, 11, 18}, {1, 1, 2, 2})}),
      "m(x[0], x[1], output_size=[4, 5])", [](const MaxUnpool2d& m, const Tensors& x) {
        return Tensors{m(x[0], x[1], {.output_size = {4, 5}})};
      }));
  rows.push_back(row("nn.MaxUnpool3d(2)", [] { return MaxUnpool3d(2); },
                     {signs({1, 1, 1, 2, 1}), tensor<int64_t>({5, 10}, {1, 1, 1, 2, 1})}));
}

template <int N>
void add_pads_of(std::vector<Row>& rows, const char* number, const char* list, const Shape& sides,
                 const Tensor& x) {
  const std::string n = std::to_string(N) + "d(";
  rows.push_back(
      row("nn.ZeroPad" + n + list + ")", [sides] { return Pad<N, PadKind::zero>(sides); }, {x}));
  rows.push_back(row("nn.ReflectionPad" + n + list + ")",
                     [sides] { return Pad<N, PadKind::reflection>(sides); }, {x}));
  rows.push_back(row("nn.ReplicationPad" + n + list + ")",
                     [sides] { return Pad<N, PadKind::replication>(sides); }, {x}));
  rows.push_back(
      row("nn.CircularPad" + n + number + ")", [] { return Pad<N, PadKind::circular>(1); }, {x}));
  rows.push_back(row("nn.ConstantPad" + n + list + ", 3.5)",
                     [sides] { return ConstantPad<N>(sides, 3.5); }, {x}));
}

}  // namespace

void add_pools(std::vector<Row>& rows) {
  add_max_pools(rows);
  rows.push_back(row("nn.AvgPool1d(2)", [] { return AvgPool1d(2); }, {signs({2, 2, 7})}));
  rows.push_back(
      row("nn.AvgPool2d((3, 2), stride=2, padding=1, ceil_mode=True, count_include_pad=False)",
          [] {
            return AvgPool2d(
                {3, 2}, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false});
          },
          {signs({1, 2, 5, 4})}));
  rows.push_back(row("nn.AvgPool2d(2, divisor_override=3)",
                     [] { return AvgPool2d(2, {.divisor_override = 3}); }, {signs({1, 4, 5})}));
  rows.push_back(row("nn.AvgPool3d((1, 2, 2))",
                     [] {
                       return AvgPool3d({1, 2, 2});
                     },
                     {signs({1, 1, 2, 4, 5})}));
  // Powers that are not whole want positive bases.
  rows.push_back(
      row("nn.LPPool1d(1.5, 2)", [] { return LPPool1d(1.5, 2); }, {between(0.2, 2, {1, 2, 5})}));
  rows.push_back(row("nn.LPPool2d(2.0, (3, 2), stride=(2, 1), ceil_mode=True)",
                     [] {
                       return LPPool2d(2.0, {3, 2}, {.stride = {2, 1}, .ceil_mode = true});
                     },
                     {signs({1, 1, 5, 4})}));
  rows.push_back(
      row("nn.LPPool3d(2.0, 2)", [] { return LPPool3d(2.0, 2); }, {signs({1, 1, 2, 2, 4})}));
  rows.push_back(
      row("nn.AdaptiveMaxPool1d(3)", [] { return AdaptiveMaxPool1d(3); }, {signs({1, 2, 7})}));
  rows.push_back(indexed<AdaptiveMaxPool2d>("nn.AdaptiveMaxPool2d((2, None), return_indices=True)",
                                            [] {
                                              return AdaptiveMaxPool2d({2, -1});
                                            },
                                            {signs({1, 2, 5, 3})}));
  rows.push_back(row("nn.AdaptiveMaxPool3d((1, 2, 2))",
                     [] {
                       return AdaptiveMaxPool3d({1, 2, 2});
                     },
                     {signs({1, 1, 2, 3, 4})}));
  rows.push_back(
      row("nn.AdaptiveAvgPool1d(3)", [] { return AdaptiveAvgPool1d(3); }, {signs({2, 7})}));
  rows.push_back(row("nn.AdaptiveAvgPool2d((None, 2))",
                     [] {
                       return AdaptiveAvgPool2d({-1, 2});
                     },
                     {signs({1, 2, 3, 5})}));
  rows.push_back(row("nn.AdaptiveAvgPool3d(1)", [] { return AdaptiveAvgPool3d(1); },
                     {signs({1, 2, 2, 3, 2})}));

  add_pads_of<1>(rows, "1", "(2, 1)", {2, 1}, signs({1, 2, 4}));
  add_pads_of<2>(rows, "1", "(1, 2, 0, 1)", {1, 2, 0, 1}, signs({1, 2, 3, 4}));
  add_pads_of<3>(rows, "1", "(1, 0, 0, 1, 1, 1)", {1, 0, 0, 1, 1, 1}, signs({1, 1, 2, 2, 3}));
  rows.push_back(row("nn.ZeroPad2d((-1, 1, 0, -1))",
                     [] {
                       return ZeroPad2d({-1, 1, 0, -1});
                     },
                     {signs({1, 1, 3, 3})}));
}

void add_activations(std::vector<Row>& rows) {
  const Tensor x = signs({3, 4});
  const Tensor wide = catalog::both_signs({3, 6}, 0.3, 7.1, 3);
  rows.push_back(row("nn.ReLU()", [] { return ReLU(); }, {x}));
  rows.push_back(row("nn.ReLU6()", [] { return ReLU6(); }, {wide}));
  rows.push_back(row("nn.LeakyReLU(0.2)", [] { return LeakyReLU(0.2); }, {x}));
  rows.push_back(row("nn.PReLU()", [] { return PReLU(); }, {x}));
  rows.push_back(
      row("nn.PReLU(4, init=0.1)", [] { return PReLU({.num_parameters = 4, .init = 0.1}); }, {x}));
  rows.push_back(random(row("nn.RReLU()", [] { return RReLU(); }, {x})));
  rows.push_back(
      random(row("nn.RReLU(0.1, 0.4)", [] { return RReLU({.lower = 0.1, .upper = 0.4}); }, {x})));
  rows.push_back(row("nn.ELU(1.5)", [] { return ELU(1.5); }, {x}));
  rows.push_back(row("nn.SELU()", [] { return SELU(); }, {x}));
  rows.push_back(row("nn.CELU(0.5)", [] { return CELU(0.5); }, {x}));
  rows.push_back(row("nn.GELU()", [] { return GELU(); }, {x}));
  rows.push_back(row("nn.GELU(approximate='tanh')", [] { return GELU(Gelu::tanh); }, {x}));
  rows.push_back(row("own('QuickGELU', lambda x: x * torch.sigmoid(1.702 * x))",
                     [] { return QuickGELU(); }, {x}));
  rows.push_back(row("nn.SiLU()", [] { return SiLU(); }, {x}));
  rows.push_back(row("nn.Mish()", [] { return Mish(); }, {x}));
  rows.push_back(row("nn.Softplus()", [] { return Softplus(); }, {x}));
  rows.push_back(row("nn.Softplus(2.0, 5.0)",
                     [] { return Softplus({.beta = 2.0, .threshold = 5.0}); }, {wide}));
  rows.push_back(row("nn.Softsign()", [] { return Softsign(); }, {x}));
  rows.push_back(row("nn.Softshrink()", [] { return Softshrink(); }, {x}));
  rows.push_back(row("nn.Hardshrink(0.7)", [] { return Hardshrink(0.7); }, {x}));
  rows.push_back(row("nn.Tanhshrink()", [] { return Tanhshrink(); }, {x}));
  rows.push_back(row("nn.Hardtanh()", [] { return Hardtanh(); }, {x}));
  rows.push_back(row("nn.Hardtanh(-0.4, 1.25)",
                     [] { return Hardtanh({.min_val = -0.4, .max_val = 1.25}); }, {x}));
  rows.push_back(row("nn.Hardswish()", [] { return Hardswish(); }, {wide}));
  // PyTorch's own has a sixth of f32 in its gradient.
  rows.push_back(row("own('Hardsigmoid', lambda x: F.relu6(x + 3) / 6)",
                     [] { return Hardsigmoid(); }, {wide}));
  rows.push_back(row("nn.Sigmoid()", [] { return Sigmoid(); }, {x}));
  rows.push_back(row("nn.LogSigmoid()", [] { return LogSigmoid(); }, {x}));
  rows.push_back(row("nn.Tanh()", [] { return Tanh(); }, {x}));
  rows.push_back(row("nn.Threshold(0.1, 20.0)", [] { return Threshold(0.1, 20.0); }, {x}));
  rows.push_back(row("nn.GLU()", [] { return GLU(); }, {x}));
  rows.push_back(row("nn.GLU(0)", [] { return GLU(0); }, {signs({4, 3})}));
  rows.push_back(row("nn.Softmax(dim=0)", [] { return Softmax(0); }, {x}));
  rows.push_back(row("nn.LogSoftmax(dim=-1)", [] { return LogSoftmax(-1); }, {x}));
  rows.push_back(row("nn.Softmin(dim=1)", [] { return Softmin(1); }, {x}));
  rows.push_back(row("nn.Softmax2d()", [] { return Softmax2d(); }, {signs({1, 3, 2, 2})}));
}

namespace {

const Tensor& weights3() {
  static const Tensor w = from_vector(std::vector<double>{0.5, 2.0, 1.25}, {3});
  return w;
}
constexpr const char* kWeights3 = "torch.tensor([0.5, 2.0, 1.25])";

// 1 and -1.
Tensor two_sides(const Shape& shape, uint64_t seed) {
  return where(catalog::mask(shape, seed), 1.0, full(shape, -1.0, DType::f64));
}

void add_number_losses(std::vector<Row>& rows, const Tensor& x, const Tensor& y) {
  rows.push_back(row("nn.L1Loss()", [] { return L1Loss(); }, {x, y}));
  rows.push_back(
      row("nn.MSELoss(reduction='sum')", [] { return MSELoss(Reduction::sum); }, {x, y}));
  rows.push_back(
      row("nn.MSELoss(reduction='none')", [] { return MSELoss(Reduction::none); }, {x, y}));
  rows.push_back(
      row("nn.SmoothL1Loss(beta=0.5)", [] { return SmoothL1Loss({.beta = 0.5}); }, {x, y}));
  rows.push_back(row("nn.HuberLoss(reduction='sum', delta=0.75)",
                     [] { return HuberLoss({.reduction = Reduction::sum, .delta = 0.75}); },
                     {x, y}));
  rows.push_back(of_first(1, row("own('LogCoshLoss', lambda x, y: (x - y).cosh().log().mean())",
                                 [] { return LogCoshLoss(); }, {x, y})));
  const Tensor counts = from_vector(std::vector<double>{0, 1, 2, 3, 4, 5, 1, 0, 7}, {3, 3});
  rows.push_back(
      of_first(1, row("nn.PoissonNLLLoss()", [] { return PoissonNLLLoss(); }, {x, counts})));
  rows.push_back(of_first(
      1, row("nn.PoissonNLLLoss(log_input=False, full=True, eps=1e-6, reduction='sum')",
             [] {
               return PoissonNLLLoss(
                   {.log_input = false, .full = true, .eps = 1e-6, .reduction = Reduction::sum});
             },
             {between(0.3, 4, {3, 3}), counts})));
  rows.push_back(row("nn.GaussianNLLLoss()", [] { return GaussianNLLLoss(); },
                     {x, y, between(0.3, 2, {3, 3}, 5)}));
  rows.push_back(row("nn.GaussianNLLLoss(full=True, reduction='none')",
                     [] { return GaussianNLLLoss({.full = true, .reduction = Reduction::none}); },
                     {x, y, between(0.3, 2, {3, 1}, 5)}));
}

void add_probability_losses(std::vector<Row>& rows, const Tensor& x) {
  const std::string w = kWeights3;
  const Tensor p = between(0.1, 0.9, {2, 3}), t = between(0, 1, {2, 3}, 4);
  rows.push_back(of_first(1, row("nn.BCELoss()", [] { return BCELoss(); }, {p, t})));
  rows.push_back(of_first(
      1, row("nn.BCELoss(weight=" + w + ", reduction='sum')",
             [] { return BCELoss({.weight = weights3(), .reduction = Reduction::sum}); }, {p, t})));
  rows.push_back(of_first(
      1, row("nn.BCEWithLogitsLoss()", [] { return BCEWithLogitsLoss(); }, {signs({2, 3}), t})));
  rows.push_back(of_first(
      1,
      row("nn.BCEWithLogitsLoss(weight=" + w + ", pos_weight=2 * " + w + ")",
          [] { return BCEWithLogitsLoss({.weight = weights3(), .pos_weight = weights3() * 2.0}); },
          {signs({2, 3}), t})));
  rows.push_back(of_first(1, row("own('SigmoidFocalLoss', lambda x, t: (t * 0.3 + (1 - t) * 0.7) * "
                                 "((1 - (2 * t - 1) * x.sigmoid() - (1 - t)) ** 3) * "
                                 "F.binary_cross_entropy_with_logits(x, t, reduction='none'))",
                                 [] { return SigmoidFocalLoss({.alpha = 0.3, .gamma = 3.0}); },
                                 {signs({3, 3}), to(catalog::mask({3, 3}), DType::f64)})));
  const Tensor logs = signs({3, 3}, 7);
  rows.push_back(row("nn.KLDivLoss(reduction='batchmean')",
                     [] { return KLDivLoss({.reduction = Reduction::batchmean}); },
                     {x, between(0.1, 0.9, {3, 3}, 6)}));
  rows.push_back(row("nn.KLDivLoss(log_target=True)",
                     [] { return KLDivLoss({.log_target = true}); }, {x, logs}));
}

void add_class_losses(std::vector<Row>& rows) {
  const std::string w = kWeights3;
  const Tensor logits = signs({4, 3}, 2), classes = tensor<int64_t>({2, -100, 0, 1});
  rows.push_back(
      row("nn.CrossEntropyLoss()", [] { return CrossEntropyLoss(); }, {logits, indices({4}, 3)}));
  rows.push_back(
      row("nn.CrossEntropyLoss(weight=" + w + ", label_smoothing=0.1)",
          [] { return CrossEntropyLoss({.label_smoothing = 0.1, .weight = weights3()}); },
          {logits, classes}));
  rows.push_back(
      row("nn.CrossEntropyLoss(reduction='none', ignore_index=1)",
          [] { return CrossEntropyLoss({.reduction = Reduction::none, .ignore_index = 1}); },
          {signs({2, 3, 2}), indices({2, 2}, 3)}));
  rows.push_back(row("nn.NLLLoss()", [] { return NLLLoss(); }, {logits, classes}));
  rows.push_back(row("nn.NLLLoss(weight=" + w + ", ignore_index=0)",
                     [] { return NLLLoss({.weight = weights3(), .ignore_index = 0}); },
                     {signs({2, 3, 2}), indices({2, 2}, 3)}));
  const Tensor targets = tensor<int64_t>({1, 2, 2, 1, 1, 2}, {2, 3});
  const Tensor lengths = tensor<int64_t>({5, 4}), target_lengths = tensor<int64_t>({3, 2});
  // PyTorch's gradient is one of logits: log_softmax comes before on both sides.
  const auto normalised = [](const CTCLoss& m, const Tensors& x) {
    return Tensors{m(log_softmax(x[0], 2), x[1], x[2], x[3])};
  };
  const Tensors inputs = {signs({5, 2, 3}), targets, lengths, target_lengths};
  rows.push_back(with_call<CTCLoss>(row(
                                        "nn.CTCLoss()", [] { return CTCLoss(); }, inputs),
                                    "m(x[0].log_softmax(2), *x[1:])", normalised));
  rows.push_back(with_call<CTCLoss>(
      row("nn.CTCLoss(reduction='sum', zero_infinity=True)",
          [] { return CTCLoss({.reduction = Reduction::sum, .zero_infinity = true}); },
          {inputs[0], targets, tensor<int64_t>({5, 1}), target_lengths}),
      "m(x[0].log_softmax(2), *x[1:])", normalised));
}

void add_margin_losses(std::vector<Row>& rows, const Tensor& x, const Tensor& y) {
  const Tensor sides = two_sides({3, 3}, 1), side = two_sides({3}, 2);
  rows.push_back(
      of_first(1, row("nn.SoftMarginLoss()", [] { return SoftMarginLoss(); }, {x, sides})));
  rows.push_back(of_first(1, row("nn.HingeEmbeddingLoss(margin=1.1)",
                                 [] { return HingeEmbeddingLoss({.margin = 1.1}); }, {x, sides})));
  rows.push_back(of_first(
      2, row("nn.MarginRankingLoss(margin=0.3, reduction='sum')",
             [] { return MarginRankingLoss({.margin = 0.3, .reduction = Reduction::sum}); },
             {x, y, sides})));
  rows.push_back(
      row("nn.MultiMarginLoss()", [] { return MultiMarginLoss(); }, {x, indices({3}, 3)}));
  rows.push_back(
      row(std::string("nn.MultiMarginLoss(p=2, margin=0.7, weight=") + kWeights3 + ".double())",
          [] { return MultiMarginLoss({.p = 2, .margin = 0.7, .weight = weights3()}); },
          {x, indices({3}, 3)}));
  rows.push_back(row("nn.MultiLabelMarginLoss()", [] { return MultiLabelMarginLoss(); },
                     {x, tensor<int64_t>({2, 0, -1, 1, -1, -1, -1, 0, 1}, {3, 3})}));
  rows.push_back(
      of_first(1, row(std::string("nn.MultiLabelSoftMarginLoss(weight=") + kWeights3 + ")",
                      [] { return MultiLabelSoftMarginLoss({.weight = weights3()}); },
                      {x, to(catalog::mask({3, 3}), DType::f64)})));
  const Tensor z = signs({3, 3}, 9);
  rows.push_back(row("nn.TripletMarginLoss()", [] { return TripletMarginLoss(); }, {x, y, z}));
  rows.push_back(row("nn.TripletMarginLoss(margin=2.0, p=3.0, swap=True, reduction='none')",
                     [] {
                       return TripletMarginLoss(
                           {.margin = 2.0, .p = 3.0, .swap = true, .reduction = Reduction::none});
                     },
                     {x, y, z}));
  rows.push_back(row("nn.TripletMarginWithDistanceLoss(distance_function=F.cosine_similarity)",
                     [] {
                       return TripletMarginWithDistanceLoss(
                           {.distance_function = [](const Tensor& a, const Tensor& b) {
                             return cosine_similarity(a, b);
                           }});
                     },
                     {x, y, z}));
  rows.push_back(
      of_first(2, row("nn.CosineEmbeddingLoss(margin=0.1)",
                      [] { return CosineEmbeddingLoss({.margin = 0.1}); }, {x, y, side})));
  rows.push_back(
      row("nn.CosineSimilarity(dim=0)", [] { return CosineSimilarity({.dim = 0}); }, {x, y}));
  rows.push_back(row("nn.PairwiseDistance(p=1.5, keepdim=True)",
                     [] { return PairwiseDistance({.p = 1.5, .keepdim = true}); }, {x, y}));
}

}  // namespace

void add_losses(std::vector<Row>& rows) {
  const Tensor x = signs({3, 3}, 2), y = signs({3, 3}, 8);
  add_number_losses(rows, x, y);
  add_probability_losses(rows, x);
  add_class_losses(rows);
  add_margin_losses(rows, x, y);
}

}  // namespace adjoint::nn::table
