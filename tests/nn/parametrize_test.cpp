// Parametrizations against PyTorch (tests/golden/nn_structure.py), and what becomes of them in
// copies, casts, loads, optimizers, functional calls.
#include <adjoint/core/gradcheck.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/functional_call.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/parametrizations.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "tests/core/numeric.h"
#include "tests/nn/golden_cases.h"

namespace adjoint::nn {
namespace {

using numeric::expect_close;
using numeric::expect_same_bits;
using numeric::message_of;

const GoldenCases& cases() {
  static const GoldenCases all("nn_structure");
  return all;
}

std::vector<std::string> names(const std::vector<NamedSlot>& slots) {
  std::vector<std::string> result;
  for (const NamedSlot& s : slots) result.push_back(s.name);
  return result;
}

struct Skew : Module<Skew> {
  Tensor forward(const Tensor& x) const { return triu(x, 1) - transpose(triu(x, 1), 0, 1); }
};

struct Doubled : Module<Doubled> {
  Tensor forward(const Tensor& x) const { return x * 2.0; }
  Tensor right_inverse(const Tensor& x) const { return x / 2.0; }
};

// A weight of rank one.
struct Outer : Module<Outer> {
  Tensor forward(const Tensor& a, const Tensor& b) const { return outer(a, b); }
  std::pair<Tensor, Tensor> right_inverse(const Tensor& x) const {
    return {select(x, 1, 0), select(x, 0, 0) / x.select(0, 0).select(0, 0)};
  }
};

struct Halves : Module<Halves> {
  Tensor forward(const Tensor& x) const { return slice(x, 0, 0, 1); }
};

Linear skew_layer() {
  Linear layer(3, 3);
  utils::register_parametrization(layer, "weight", Skew());
  return layer;
}

void expect_plain(const std::string& family, const Linear& layer) {
  cases().expect_case(family, family + "/plain", layer, [](const Linear& m, const Inputs& in) {
    return std::vector<Tensor>{m(in["x"])};
  });
}

TEST(Parametrize, IsPyTorchs) {
  expect_plain("weight_norm", utils::weight_norm(Linear(4, 3)));
  expect_plain("weight_norm_1", utils::weight_norm(Linear(4, 3), "weight", 1));
  expect_plain("weight_norm_all", utils::weight_norm(Linear(4, 3), "weight", std::nullopt));
  expect_plain("cayley", utils::orthogonal(Linear(4, 3), "weight", {.map = OrthogonalMap::cayley}));
  expect_plain("matrix_exp", utils::orthogonal(Linear(3, 3)));
  expect_plain("skew", skew_layer());
}

TEST(Parametrize, SpectralNormIteratesInTraining) {
  const Linear layer = utils::spectral_norm(Linear(4, 3), "weight", {.n_power_iterations = 2});
  cases().expect_case("spectral_norm", "spectral_norm/train", layer,
                      [](const Linear& m, const Inputs& in) {
                        const std::vector<Tensor> y{m(in["x"])};
                        for (const char* name : {"_u", "_v"}) {
                          const std::string path = std::string("parametrizations.weight.0.") + name;
                          expect_close(m.get_buffer(path)->stored(),
                                       cases().all().at(std::string("spectral_norm/after/") + name),
                                       golden_tolerance(y[0].dtype()), name);
                        }
                        return y;
                      });
  Linear trained = layer;
  for (int i = 0; i < 100; ++i) (void)trained.weight.value();
  EXPECT_NEAR(matrix_norm(trained.weight.value(), 2.0).item(), 1, 1e-5);
  trained.eval();
  const Tensor u = trained.get_buffer("parametrizations.weight.0._u")->stored().clone();
  expect_same_bits(trained.weight.value(), trained.weight.value());
  expect_same_bits(trained.get_buffer("parametrizations.weight.0._u")->stored(), u);
  // The vector of a norm: divided by its length.
  utils::spectral_norm(trained, "bias");
  EXPECT_NEAR(norm(trained.bias.value()).item(), 1, 1e-6);
}

TEST(Parametrize, WeightsStayWhatTheyWere) {
  const Linear layer(4, 3);
  const Tensor weight = layer.weight.value().clone();
  Linear normed = utils::weight_norm(Linear(layer));
  expect_close(normed.weight.value(), weight, 1e-6);
  EXPECT_EQ(names(normed.parameters()),
            (std::vector<std::string>{"parametrizations.weight.original0",
                                      "parametrizations.weight.original1", "bias"}));
  EXPECT_EQ(normed.get_parameter("parametrizations.weight.original0")->shape(), (Shape{3, 1}));
  EXPECT_TRUE(utils::is_parametrized(normed));
  EXPECT_TRUE(utils::is_parametrized(normed, "weight"));
  EXPECT_FALSE(utils::is_parametrized(normed, "bias"));
  EXPECT_FALSE(utils::is_parametrized(layer));
  // One whose rows are orthonormal already is where it starts from.
  Linear square(3, 3);
  square.weight.set_data(qr(randn({3, 3})).q);
  const Tensor before = square.weight.value().clone();
  for (const auto map : {OrthogonalMap::matrix_exp, OrthogonalMap::cayley}) {
    const Linear turned = utils::orthogonal(Linear(square), "weight", {.map = map});
    expect_close(turned.weight.value(), before, 1e-5);
  }
  for (const auto& [in, out] : {std::pair{5, 3}, {3, 5}}) {
    const Linear any = utils::orthogonal(Linear(in, out));
    const Tensor w = out < in ? transpose(any.weight, 0, 1) : any.weight.value();
    expect_close(matmul(transpose(w, 0, 1), w), eye(3), 1e-5);
  }
}

TEST(Parametrize, CopiesHaveTheirOwn) {
  Linear layer = utils::weight_norm(Linear(4, 3));
  Linear copy = layer;
  expect_same_bits(copy.weight.value(), layer.weight.value());
  const Tensor before = layer.weight.value().clone();
  for (const NamedSlot& p : copy.parameters()) p.slot->write(full(p.slot->shape(), 2.0));
  expect_same_bits(layer.weight.value(), before);
  EXPECT_EQ(visited_slots(layer), 3);
  check_members(layer);
  // An assignment writes into the slots that are there.
  const std::vector<NamedSlot> slots = layer.parameters();
  layer = copy;
  expect_same_bits(layer.weight.value(), copy.weight.value());
  for (size_t i = 0; i < slots.size(); ++i) {
    EXPECT_EQ(layer.parameters()[i].slot, slots[i].slot);
    expect_same_bits(slots[i].slot->stored(), copy.parameters()[i].slot->stored());
  }
  // From a plain one, to a plain one.
  const Linear plain(4, 3);
  layer = plain;
  EXPECT_FALSE(utils::is_parametrized(layer));
  expect_same_bits(layer.weight.value(), plain.weight.value());
  layer = copy;
  EXPECT_TRUE(utils::is_parametrized(layer));
  expect_same_bits(layer.weight.value(), copy.weight.value());
  const Linear moved = std::move(copy);
  expect_same_bits(moved.weight.value(), layer.weight.value());
  // In a model that is cast, loaded, put in eval mode.
  Sequential model(utils::spectral_norm(Linear(4, 3)), Linear(3, 1));
  model.eval();
  Sequential other(utils::spectral_norm(Linear(4, 3)), Linear(3, 1));
  other.eval();
  other.load_state_dict(model.state_dict());
  const Tensor x = randn({2, 4});
  expect_same_bits(other(x), model(x));
  other.to(DType::f64);
  EXPECT_EQ(other(x.to(DType::f64)).dtype(), DType::f64);
  expect_close(other(x.to(DType::f64)), model(x), 1e-5);
}

TEST(Parametrize, ModulesBelowAreSeen) {
  Sequential model(utils::spectral_norm(Linear(4, 3)), Linear(3, 1));
  std::vector<std::string> paths;
  for (const NamedModule& m : model.named_modules()) paths.push_back(m.name);
  EXPECT_EQ(paths, (std::vector<std::string>{"", "0", "0.parametrizations.weight",
                                             "0.parametrizations.weight.0", "1"}));
  EXPECT_EQ(to_string(model),
            "Sequential(\n"
            "  (0): Linear(\n"
            "    in_features=4, out_features=3, bias=True\n"
            "    (weight): ParametrizationList(\n"
            "      (0): SpectralNorm()\n"
            "    )\n"
            "  )\n"
            "  (1): Linear(in_features=3, out_features=1, bias=True)\n"
            ")");
  model.get_submodule("0").eval();
  EXPECT_FALSE(model.get_submodule("0.parametrizations.weight.0").is_training());
}

TEST(Parametrize, OptimizersTrainTheOriginals) {
  Linear layer = utils::weight_norm(Linear(2, 1));
  const Tensor x = randn({16, 2}), y = sum(x * tensor<float>({3, -4}), {1}, kKeepDim);
  optim::SGD optimizer(layer.parameters(), {.lr = 0.05});
  for (int i = 0; i < 500; ++i) {
    layer.zero_grad();
    mean(square(layer(x) - y)).backward();
    optimizer.step();
  }
  expect_close(layer.weight.value(), tensor<float>({{3, -4}}), 1e-3);
  const double g = layer.get_parameter("parametrizations.weight.original0")->stored().item();
  EXPECT_NEAR(std::abs(g), 5, 1e-3);  // its sign may have changed, and with it that of the other
  layer.requires_grad_(false);
  EXPECT_FALSE(layer(x).requires_grad());
}

TEST(Parametrize, FunctionalCallsAndSecondDerivatives) {
  std::vector<Linear> layers;
  layers.push_back(utils::weight_norm(Linear(3, 2)));
  layers.push_back(utils::spectral_norm(Linear(3, 2)));
  layers.push_back(utils::orthogonal(Linear(3, 2)));
  layers.push_back(skew_layer());
  for (Linear& layer : layers) {
    layer.to(DType::f64);
    layer.eval();
    const Tensor x = numeric::random({2, 3}, 1);
    const std::vector<NamedSlot> slots = layer.parameters();
    const TensorFunction f = [&](const std::vector<Tensor>& values) -> std::vector<Tensor> {
      return {tanh(functional_call(layer, slots, values, x))};
    };
    std::vector<Tensor> values;
    for (const NamedSlot& s : slots) {
      values.push_back(s.slot->stored().detach().clone().requires_grad_());
    }
    const auto first = gradcheck(f, values);
    EXPECT_TRUE(first) << first.message;
    const auto second = gradgradcheck(f, values);
    EXPECT_TRUE(second) << second.message;
  }
}

TEST(Parametrize, OneAfterAnother) {
  Linear layer(3, 3);
  layer.weight.requires_grad_(false);
  const Tensor weight = layer.weight.value().clone();
  const SlotRef slot = layer.weight.slot();
  utils::register_parametrization(layer, "weight", Doubled());
  expect_same_bits(layer.weight.value(), weight);
  expect_same_bits(slot->stored(), weight / 2.0);
  EXPECT_FALSE(slot->trainable());
  utils::register_parametrization(layer, "weight", Skew());
  EXPECT_EQ(names(layer.parameters()),
            (std::vector<std::string>{"parametrizations.weight.original", "bias"}));
  expect_close(layer.weight.value(), triu(weight, 1) - transpose(triu(weight, 1), 0, 1), 1e-7);
  utils::remove_parametrizations(layer, "weight", false);
  expect_same_bits(layer.weight.value(), weight / 2.0);
  EXPECT_EQ(layer.weight.slot(), slot);
  utils::register_parametrization(layer, "weight", Doubled());
  utils::remove_parametrizations(layer, "weight");
  expect_same_bits(layer.weight.value(), weight / 2.0);
}

TEST(Parametrize, SeveralOriginalsOfOtherShapes) {
  Linear layer(3, 2);
  layer.weight.set_data(outer(tensor<float>({1, -2}), tensor<float>({3, 4, 5})));
  const Tensor weight = layer.weight.value().clone();
  utils::register_parametrization(layer, "weight", Outer());
  expect_close(layer.weight.value(), weight, 1e-6);
  EXPECT_EQ(layer.get_parameter("parametrizations.weight.original1")->shape(), (Shape{3}));
  const Linear copy = layer;
  expect_same_bits(copy.weight.value(), layer.weight.value());
  EXPECT_EQ(
      message_of<ConfigError>([&] { utils::remove_parametrizations(layer, "weight", false); }),
      "remove_parametrizations: \"weight\" of Linear has 2 originals; expected "
      "leave_parametrized");
  utils::remove_parametrizations(layer, "weight");
  EXPECT_EQ(layer.weight.shape(), (Shape{2, 3}));
  EXPECT_TRUE(layer.weight.requires_grad());
}

struct Tied : Module<Tied> {
  Linear a{3, 3}, b{3, 3};
  Tensor forward(const Tensor& x) const { return b(a(x)); }
  void members(Visitor& v) override {
    v("a", a);
    v("b", b);
    v.tie(b.weight, a.weight);
  }
};

TEST(Parametrize, TiesShareIt) {
  Tied model;
  (void)model.parameters();
  utils::register_parametrization(model.b, "weight", Skew());
  expect_same_bits(model.a.weight.value(), model.b.weight.value());
  EXPECT_EQ(names(model.parameters()),
            (std::vector<std::string>{"a.parametrizations.weight.original", "a.bias", "b.bias"}));
  const Tied copy = model;
  EXPECT_EQ(copy.state_dict().aliases.at("b.parametrizations.weight.original"),
            "a.parametrizations.weight.original");
  EXPECT_NE(copy.a.weight.slot(), model.a.weight.slot());
}

TEST(Parametrize, ErrorsChangeNothing) {
  Linear layer(3, 2);
  EXPECT_EQ(
      message_of<ShapeError>([&] { utils::register_parametrization(layer, "weight", Halves()); }),
      "register_parametrization: Halves makes shape (1, 3) of (2, 3); expected the same, or "
      "the option unsafe");
  EXPECT_EQ(message_of<Error>([&] { utils::register_parametrization(layer, "wait", Skew()); }),
            "register_parametrization: Linear has no parameter or buffer \"wait\" of its own; "
            "expected one of its names");
  EXPECT_EQ(
      message_of<Error>([&] { utils::remove_parametrizations(layer, "weight"); }),
      "remove_parametrizations: \"weight\" of Linear is not parametrized; expected a name for "
      "which is_parametrized() says so");
  EXPECT_FALSE(utils::is_parametrized(layer));
  EXPECT_EQ(names(layer.parameters()), (std::vector<std::string>{"weight", "bias"}));
  utils::register_parametrization(layer, "weight", Halves(), {.unsafe = true});
  EXPECT_EQ(layer.weight.value().shape(), (Shape{1, 3}));
}

}  // namespace
}  // namespace adjoint::nn
