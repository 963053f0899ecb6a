// The models of images against PyTorch's (tests/golden/image_models.py) and their papers.
#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/pooling.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/models/cnn.h>
#include <adjoint/models/dcgan.h>
#include <adjoint/models/image_task.h>
#include <adjoint/models/mlp.h>
#include <adjoint/models/resnet.h>
#include <adjoint/models/vae.h>
#include <adjoint/models/vit.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace adjoint::models {
namespace {

const std::map<std::string, Tensor>& golden() {
  static const auto all =
      load_safetensors(ADJOINT_SOURCE_DIR "/tests/golden/image_models.safetensors");
  return all;
}

// The script's `fill`.
void fill(nn::ModuleBase& model) {
  model.to(DType::f64);
  std::map<std::string, Tensor> state = model.state_dict().to_map();
  int64_t place = 0;
  for (auto& [name, value] : state) {
    const int64_t number = place++;
    if (!is_floating_point(value.dtype())) continue;
    Tensor x = empty(value.shape(), DType::f64);
    double* const to = x.mutable_data<double>();
    for (int64_t i = 0; i < x.numel(); ++i) {
      to[i] = std::sin(0.7 * static_cast<double>(i) + static_cast<double>(number));
    }
    if (value.dim() >= 2) {
      const int64_t fan_in = value.numel() / value.size(0);
      value = x / std::sqrt(static_cast<double>(fan_in));
    } else {
      value = x * 0.1 + (name.ends_with("weight") || name.ends_with("var") ? 1 : 0);
    }
  }
  model.load_state_dict(state);
}

void expect_near(const Tensor& actual, const Tensor& expected, const std::string& what) {
  ASSERT_EQ(actual.shape(), expected.shape()) << what;
  const double scale = std::max(max(abs(expected)).item(), 1e-3);
  EXPECT_LT(max(abs(actual - expected)).item(), 1e-9 * scale) << what;
}

void expect_case(nn::ModuleBase& model, const std::string& name) {
  fill(model);
  const auto value = [&](const std::string& key) { return golden().at(name + "/" + key); };
  const Tensor y = model.call(value("x"));
  expect_near(y, value("y"), name);
  mean(square(y)).backward();
  const std::vector<NamedSlot> parameters = model.parameters();
  size_t expected = 0;
  for (const auto& [key, sums] : golden()) {
    expected += key.starts_with(name + "/grad/") ? 1U : 0U;
  }
  EXPECT_EQ(parameters.size(), expected);
  for (const NamedSlot& parameter : parameters) {
    const Tensor gradient = parameter.slot->grad();
    double weighted = 0, plain = 0;
    if (gradient.defined()) {
      const std::vector<double> all = gradient.to_vector<double>();
      for (size_t i = 0; i < all.size(); ++i) {
        weighted += all[i] * std::cos(static_cast<double>(i));
        plain += all[i];
      }
    }
    const Tensor sums = value("grad/" + parameter.name);
    expect_near(tensor<double>({weighted, plain}), sums, name + ": " + parameter.name);
  }
  model.eval();
  const NoGrad no_grad;
  expect_near(model.call(value("x")), value("eval"), name + " in eval mode");
}

TEST(ImageModels, AgreeWithPyTorch) {
  for (const auto shortcut : {ResNetShortcut::a, ResNetShortcut::b}) {
    ResNet model({.depth = 8, .in_channels = 2, .classes = 5, .shortcut = shortcut});
    expect_case(model, shortcut == ResNetShortcut::a ? "resnet_a" : "resnet_b");
  }
  Vit vit({.image_size = 8,
           .patch_size = 4,
           .in_channels = 2,
           .num_layers = 2,
           .num_heads = 2,
           .hidden_dim = 6,
           .mlp_dim = 10,
           .classes = 5});
  expect_case(vit, "vit");
  Vae vae({.pixels = 128, .hidden = 9, .latent = 4});
  expect_case(vae, "vae");
  const DcganOptions small{
      .image_size = 8, .channels = 2, .latent = 5, .generator_width = 3, .discriminator_width = 3};
  DcganGenerator generator(small);
  expect_case(generator, "generator");
  DcganDiscriminator discriminator(small);
  expect_case(discriminator, "discriminator");
}

TEST(ImageModels, TheBoundOfAnAutoencoder) {
  Vae vae({.pixels = 128, .hidden = 9, .latent = 4});
  fill(vae);
  const Tensor x = golden().at("vae/x");
  expect_near(vae.loss(x).kl, golden().at("vae/kl"), "kl");
  // Of a posterior without width the draw is its mean.
  const NoGrad no_grad;
  auto state = vae.state_dict().to_map();
  state["fc22.weight"] = zeros({4, 9}, DType::f64);
  state["fc22.bias"] = full({4}, -200.0, DType::f64);
  vae.load_state_dict(state);
  expect_near(vae.loss(x).reconstruction, golden().at("vae/reconstruction"), "reconstruction");
}

// He and others 2015, tables 6 and 1; torchvision's page of resnet18 and resnet34; Dosovitskiy and
// others 2021, table 1, and torchvision's vit_b_16.
TEST(ImageModels, Sizes) {
  struct Size {
    int64_t depth;
    double million;
  };
  for (const Size& s : {Size{20, 0.27}, Size{32, 0.46}, Size{44, 0.66}, Size{56, 0.85}}) {
    const ResNet model({.depth = s.depth, .shortcut = ResNetShortcut::a});
    const auto count = static_cast<double>(model.parameter_count());
    EXPECT_EQ(std::round(count / 1e4) / 100, s.million) << s.depth << ": " << count;
  }
  EXPECT_EQ(VitOptions({.image_size = 224,
                        .patch_size = 16,
                        .in_channels = 3,
                        .num_layers = 12,
                        .num_heads = 12,
                        .hidden_dim = 768,
                        .mlp_dim = 3072,
                        .classes = 1000})
                .parameter_count(),
            86'567'656);
  const VitOptions small{.hidden_dim = 16, .mlp_dim = 24};
  EXPECT_EQ(Vit(small).parameter_count(), small.parameter_count());
  EXPECT_EQ(Mlp({.in_features = 784, .hidden = 128, .layers = 1}).parameter_count(),
            784 * 128 + 128 + 128 * 10 + 10);
  EXPECT_EQ(Vae().parameter_count(), 652'824);  // of PyTorch's example
}

TEST(ImageModels, LayoutOfTorchvision) {
  for (const auto& [depth, count] :
       std::map<int64_t, int64_t>{{18, 11'689'512}, {34, 21'797'672}}) {
    const ResNet model({.depth = depth, .classes = 1000, .stem = ResNetStem::imagenet});
    EXPECT_EQ(model.parameter_count(), count);
    const std::string prefix = "layout/resnet" + std::to_string(depth) + "/";
    std::map<std::string, std::vector<int64_t>> expected, found;
    for (const auto& [name, shape] : golden()) {
      if (name.starts_with(prefix)) {
        expected[name.substr(prefix.size())] = shape.to_vector<int64_t>();
      }
    }
    for (const auto& [name, value] : model.state_dict().to_map()) {
      found[name] = {value.shape().begin(), value.shape().end()};
    }
    EXPECT_EQ(found, expected);
  }
}

TEST(ImageModels, EachLossOfAGanTrainsItsOwnPart) {
  manual_seed(1);
  const Dcgan model({.image_size = 8, .latent = 4, .generator_width = 2, .discriminator_width = 2});
  const Tensor real = randn({6, 1, 8, 8});
  for (const bool of_generator : {false, true}) {
    model.zero_grad();
    const DcganLoss loss = model.loss(real);
    (of_generator ? loss.generator : loss.discriminator).backward();
    for (const NamedSlot& parameter : model.parameters()) {
      EXPECT_EQ(parameter.slot->grad().defined(),
                parameter.name.starts_with("generator.") == of_generator)
          << parameter.name;
    }
  }
}

TEST(ImageModels, CnnIsItsLayers) {
  manual_seed(2);
  Cnn model({.image_size = 13, .channels = {3, 4}, .hidden = 5, .classes = 6, .dropout = 0.5});
  model.eval();
  const Tensor x = randn({2, 1, 13, 13});
  Tensor y = x;
  for (size_t i = 0; i < 2; ++i) y = max_pool2d(relu(model.bn[i](model.conv[i](y))), 2);
  const Tensor expected = model.fc2(relu(model.fc1(flatten(y, 1))));
  EXPECT_LT(max(abs(model(x) - expected)).item(), 1e-6);
}

TEST(ImageModels, WrongSizes) {
  EXPECT_THROW(ResNet({.depth = 21}), ConfigError);
  EXPECT_THROW(Vit({.image_size = 28, .patch_size = 5}), ConfigError);
  EXPECT_THROW(Vit({.num_heads = 5}), ConfigError);
  EXPECT_THROW(Dcgan({.image_size = 30}), ConfigError);
  EXPECT_THROW(Cnn({.image_size = 3, .channels = {4, 4}}), ConfigError);
}

// A model that says what it was told of: the class in the first pixel.
struct FirstPixel : nn::Module<FirstPixel> {
  Tensor forward(const Tensor& x) const {
    const Tensor level = round(x.select(3, 0).select(2, 0) * 255);  // (N, 1)
    const Tensor classes = arange(3).to(DType::f32).view({1, 3});
    return -square(level - classes) * 100;
  }
};

TEST(ImageTask, Examination) {
  data::ImageSet set{zeros({7, 1, 2, 2}, DType::u8), tensor<int64_t>({0, 1, 2, 0, 1, 2, 2}), 3};
  for (int64_t i = 0; i < 7; ++i) {
    // The last two are told wrong.
    set.images.mutable_data<uint8_t>()[i * 4] = static_cast<uint8_t>(i < 5 ? i % 3 : 1);
  }
  const auto found = examine(FirstPixel(), data::ImageBatches(set, {.batch_size = 3}));
  EXPECT_NEAR(found->accuracy, 5.0 / 7, 1e-12);
  EXPECT_NEAR(found->loss, 2 * 100.0 / 7, 1e-3);
  EXPECT_FALSE(
      examine(FirstPixel(), data::ImageBatches(set, {.batch_size = 3}), [] { return true; }));
}

}  // namespace
}  // namespace adjoint::models
