// train_gan: trains a DCGAN on images, and draws others.
#include <adjoint/core/autograd.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/sorting.h>
#include <adjoint/models/dcgan.h>

#include "models/train/image_training.h"

namespace adjoint::train {
namespace {

constexpr int64_t kExamined = 500, kDirections = 64, kDrawn = 64, kColumns = 8;

class GanTask : public models::TrainingTask {
 public:
  GanTask(const models::DcganOptions& options, const ImageData& data, const ImageSettings& s)
      : config_(options.to_json()),
        model_(options),
        train_(data.train, {.batch_size = s.batch_size,
                            .seed = static_cast<uint64_t>(s.seed),
                            .shuffle = true,
                            .crop_padding = s.crop_padding,
                            .flip = s.flip,
                            .mean = std::vector(static_cast<size_t>(data.channels()), 0.5),
                            .std = std::vector(static_cast<size_t>(data.channels()), 0.5)}) {
    const NoGrad no_grad;
    data::ImageBatchOptions examined = train_.options();
    examined.batch_size = kExamined;
    examined.shuffle = examined.flip = false;
    examined.crop_padding = 0;
    const data::ImageBatches held_out(data.validation, examined);
    // The same codes and directions all the time.
    Generator generator(static_cast<uint64_t>(s.seed));
    directions_ = randn({data.pixels(), kDirections}, DType::f32, generator);
    directions_ = directions_ / sqrt(sum(square(directions_), {0}, true));
    real_ = projected(held_out.at(0).images);
    codes_ = randn({real_.size(0), options.latent}, DType::f32, generator);
  }

  nn::ModuleBase& model() override { return model_; }
  // The gradients of one loss go to the discriminator, those of the other to the generator.
  Tensor loss(int64_t step) override {
    const models::DcganLoss found = model_.loss(train_.at(step).images);
    return found.discriminator + found.generator;
  }
  // How far drawn images are from held-out ones: the sliced Wasserstein distance (Bonneel and
  // others 2015), the mean over directions of that between what both are along it.
  std::optional<models::Validation> validate(const std::function<bool()>& /*stop*/) override {
    return models::Validation{
        .loss = mean(abs(projected(model_(codes_)) - real_)).to(DType::f32).item()};
  }
  int64_t units_per_step() const override { return train_.options().batch_size; }
  std::string unit() const override { return "samples"; }
  void add_files(io::AtomicDirectory& folder) override {
    folder.write("config.json", config_.dump(2) + "\n");
  }

  Tensor picture() {
    const NoGrad no_grad;
    model_.eval();
    const Tensor drawn = model_(codes_.narrow(0, 0, std::min(codes_.size(0), kDrawn)));
    model_.train();
    return data::image_grid(drawn * 0.5 + 0.5, kColumns);
  }

 private:
  Tensor projected(const Tensor& images) const {
    return sort(matmul(flatten(images, 1).to(DType::f32), directions_), 0).values;
  }

  Json config_;
  models::Dcgan model_;
  data::ImageBatches train_;
  Tensor directions_, real_, codes_;
};

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  using namespace adjoint;
  struct : train::ImageSettings {
    int64_t latent = 64, width = 32;
  } s;
  s.out = "runs/gan";
  s.epochs = 10;
  s.batch_size = 128;
  s.lr = 2e-4;
  s.schedule = "constant";
  s.warmup_epochs = 0;
  s.weight_decay = 0;
  s.beta1 = 0.5;
  s.beta2 = 0.999;
  s.grad_clip = 0;
  train::OptionTable table("train_gan",
                           "Trains a DCGAN on images, and draws others into samples/ of the run.");
  train::add_image_options(table, s, train::Labels::ignored);
  table.section("Model");
  table.add("latent", &s.latent, "N", "numbers that an image is drawn from",
            {.least = 1, .most = 1 << 16});
  table.add("width", &s.width, "N", "channels at half the image's size",
            {.least = 1, .most = 4096});
  return train::image_main(argc, argv, table, s, [&](const train::ImageData& data) {
    const models::DcganOptions options{.image_size = data.size(),
                                       .channels = data.channels(),
                                       .latent = s.latent,
                                       .generator_width = s.width,
                                       .discriminator_width = s.width};
    auto task = std::make_unique<train::GanTask>(options, data, s);
    return train::ImageTraining{.config = options.to_json(),
                                .keep_best = false,
                                .picture = [made = task.get()] { return made->picture(); },
                                .task = std::move(task)};
  });
}
