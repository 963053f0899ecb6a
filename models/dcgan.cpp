#include <adjoint/core/activations.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/dcgan.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/batch_norm.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/init.h>

namespace adjoint::models {
namespace {

constexpr double kSlope = 0.2;  // of the discriminator's leaky ReLU
constexpr double kStd = 0.02;   // of the initial weights

const DcganOptions& checked(const DcganOptions& options) {
  options.validate();
  return options;
}

nn::Sequential generator_of(const DcganOptions& options) {
  const int64_t width = options.generator_width;
  return nn::Sequential(
      nn::ConvTranspose2d(options.latent, 4 * width, options.image_size / 4, {.bias = false}),
      nn::BatchNorm2d(4 * width), nn::ReLU(),
      nn::ConvTranspose2d(4 * width, width, 4, {.stride = 2, .padding = 1, .bias = false}),
      nn::BatchNorm2d(width), nn::ReLU(),
      nn::ConvTranspose2d(width, options.channels, 4, {.stride = 2, .padding = 1, .bias = false}),
      nn::Tanh());
}

nn::Sequential discriminator_of(const DcganOptions& options) {
  const int64_t width = options.discriminator_width;
  return nn::Sequential(
      nn::Conv2d(options.channels, width, 4, {.stride = 2, .padding = 1, .bias = false}),
      nn::LeakyReLU(kSlope),
      nn::Conv2d(width, 4 * width, 4, {.stride = 2, .padding = 1, .bias = false}),
      nn::BatchNorm2d(4 * width), nn::LeakyReLU(kSlope),
      nn::Conv2d(4 * width, 1, options.image_size / 4, {.bias = false}));
}

void start(nn::ModuleBase& module) {
  if (auto* const conv = dynamic_cast<nn::Conv2d*>(&module)) {
    nn::init::normal_(conv->weight, 0, kStd);
  } else if (auto* const transposed = dynamic_cast<nn::ConvTranspose2d*>(&module)) {
    nn::init::normal_(transposed->weight, 0, kStd);
  } else if (auto* const norm = dynamic_cast<nn::BatchNorm2d*>(&module)) {
    nn::init::normal_(norm->weight, 1, kStd);
  }
}

}  // namespace

void DcganOptions::validate() const {
  check<ConfigError>(image_size >= 4 && image_size % 4 == 0, "Dcgan: image_size is ", image_size,
                     "; expected a multiple of 4");
  for (const int64_t size : {channels, latent, generator_width, discriminator_width}) {
    check<ConfigError>(size >= 1, "Dcgan: a size of ", size, "; expected at least 1");
  }
}

Json DcganOptions::to_json() const {
  return Json::object({{"model_type", "dcgan"},
                       {"image_size", image_size},
                       {"channels", channels},
                       {"latent", latent},
                       {"generator_width", generator_width},
                       {"discriminator_width", discriminator_width}});
}

DcganGenerator::DcganGenerator(const DcganOptions& options) : main(generator_of(checked(options))) {
  apply(start);
}

Tensor DcganGenerator::forward(const Tensor& z) const {
  return main(z.view({z.size(0), z.size(1), 1, 1}));
}

DcganDiscriminator::DcganDiscriminator(const DcganOptions& options)
    : main(discriminator_of(checked(options))) {
  apply(start);
}

Tensor DcganDiscriminator::forward(const Tensor& x) const { return main(x).view({x.size(0)}); }

Dcgan::Dcgan(const DcganOptions& options)
    : generator(options), discriminator(options), latent_(options.latent) {}

// -log sigmoid(l) = softplus(-l), -log(1 - sigmoid(l)) = softplus(l).
DcganLoss Dcgan::loss(const Tensor& real) const {
  return within([&] {
    const Tensor made = generator(randn({real.size(0), latent_}));
    const Tensor discriminated =
        mean(softplus(-discriminator(real))) + mean(softplus(discriminator(made.detach())));
    // The generator's loss goes through the discriminator and leaves it alone.
    discriminator.requires_grad_(false);
    const Tensor generated = mean(softplus(-discriminator(made)));
    discriminator.requires_grad_(true);
    return DcganLoss{discriminated, generated};
  });
}

void Dcgan::members(nn::Visitor& v) {
  v("generator", generator);
  v("discriminator", discriminator);
}

}  // namespace adjoint::models
