// A variational autoencoder of images (Kingma, Welling 2014, arXiv 1312.6114).
//
// Names are those of PyTorch's example: fc1, fc21, fc22, fc3, fc4.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>

#include <cstdint>

namespace adjoint::models {

struct VaeOptions {
  int64_t pixels = 784;  // of an image, all channels
  int64_t hidden = 400;
  int64_t latent = 20;

  Json to_json() const;
};

// What the bound is made of, in nats, each the mean over the images.
struct VaeLoss {
  Tensor reconstruction;  // -E log p(x | z), of one z for each image
  Tensor kl;              // of q(z | x) from the standard normal distribution
  Tensor negative_elbo() const { return reconstruction + kl; }
};

class Vae : public nn::Module<Vae> {
 public:
  explicit Vae(const VaeOptions& options = {});

  // x (N, ...) of `pixels` numbers from 0 to 1 -> the probabilities of its reconstruction, of the
  // same shape, by the mean of z.
  Tensor forward(const Tensor& x) const;
  // The bound for images x: pixels are Bernoulli's, z is drawn from the generator.
  VaeLoss loss(const Tensor& x) const;
  // z (N, latent) -> probabilities (N, pixels).
  Tensor decode(const Tensor& z) const;
  void members(nn::Visitor& v) override;

  nn::Linear fc1, fc21, fc22, fc3, fc4;

 private:
  struct Posterior {
    Tensor mean, log_variance;  // (N, latent)
  };
  Posterior encode(const Tensor& x) const;
  Tensor logits(const Tensor& z) const;
};

}  // namespace adjoint::models
