// Deep convolutional generative adversarial networks (Radford, Metz, Chintala 2016, arXiv
// 1511.06434), for images of a few dozen pixels.
//
// Layers and names are those of PyTorch's example, "main.0.weight", with as many stages as a
// quarter of the image's size needs: two.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/sequential.h>

#include <cstdint>

namespace adjoint::models {

struct DcganOptions {
  int64_t image_size = 28;  // height and width: a multiple of 4
  int64_t channels = 1;
  int64_t latent = 64;
  int64_t generator_width = 32;      // channels before the last layer
  int64_t discriminator_width = 32;  // channels after the first one

  // ConfigError for sizes below 1, and another image_size.
  void validate() const;
  Json to_json() const;
};

// z (N, latent) -> images (N, channels, H, W) from -1 to 1.
class DcganGenerator : public nn::Module<DcganGenerator> {
 public:
  explicit DcganGenerator(const DcganOptions& options = {});
  Tensor forward(const Tensor& z) const;
  void members(nn::Visitor& v) override { v("main", main); }

  nn::Sequential main;
};

// Images (N, channels, H, W) -> logits (N): above 0 for those that it takes for real ones.
class DcganDiscriminator : public nn::Module<DcganDiscriminator> {
 public:
  explicit DcganDiscriminator(const DcganOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override { v("main", main); }

  nn::Sequential main;
};

struct DcganLoss {
  Tensor discriminator;  // -log D(x) - log(1 - D(G(z))): its gradients go to the discriminator
  Tensor generator;      // -log D(G(z)): its gradients go to the generator
};

// Both, which play against each other.
class Dcgan : public nn::Module<Dcgan> {
 public:
  // Convolutions from normal(0, 0.02), the norms' weights from normal(1, 0.02): section 4.
  explicit Dcgan(const DcganOptions& options = {});

  // Images of z (N, latent).
  Tensor forward(const Tensor& z) const { return generator(z); }
  // Of real images, from -1 to 1, against as many that are made from random z.
  DcganLoss loss(const Tensor& real) const;
  void members(nn::Visitor& v) override;

  int64_t latent() const { return latent_; }

  DcganGenerator generator;
  DcganDiscriminator discriminator;

 private:
  int64_t latent_;
};

}  // namespace adjoint::models
