// Batches of images as a network takes them: scaled, normalised, and moved about in training.
//
//   const data::ImageBatches batches(train, {.batch_size = 128, .seed = 1, .shuffle = true,
//                                            .crop_padding = 2, .flip = true,
//                                            .mean = stats.mean, .std = stats.std});
//   const data::ImageBatch batch = batches.at(step);
//
// A batch is a function of what it was made from and its number: no state, so that a resumed
// training sees what an uninterrupted one would have seen, and threads may ask at once. The images
// are shared, not copied.
#pragma once

#include <adjoint/core/tensor.h>
#include <adjoint/data/images.h>

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace adjoint::data {

// The mean of each channel and the standard deviation around it, of values from 0 to 1.
struct ChannelStatistics {
  std::vector<double> mean, std;
};
// ShapeError unless (N, C, H, W) of u8 with at least one pixel. The deviation is at least 1 / 255.
ChannelStatistics channel_statistics(const Tensor& images);

// Two parts of a set, which share its memory: all but the last `count`, and those.
std::pair<ImageSet, ImageSet> split_last(const ImageSet& set, int64_t count);

struct ImageBatch {
  Tensor images;  // (B, C, H, W), f32: (value / 255 - mean) / std
  Tensor labels;  // (B), i64
};

struct ImageBatchOptions {
  int64_t batch_size = 128;
  uint64_t seed = 0;
  // In another order in each pass, the last images left out that do not fill a batch; otherwise in
  // theirs, with a last batch of what is left.
  bool shuffle = false;
  // As torchvision's RandomCrop and RandomHorizontalFlip: zeros around the image, out of which a
  // part of its size is cut at random; half of the images from right to left.
  int64_t crop_padding = 0;
  bool flip = false;
  // Of each channel; empty: 0 and 1.
  std::vector<double> mean = {}, std = {};
};

class ImageBatches {
 public:
  // ConfigError for options out of range, and fewer images than a batch of `shuffle` takes.
  ImageBatches(ImageSet set, const ImageBatchOptions& options);

  // Batches of a pass.
  int64_t size() const;
  // Batch `step`: of shuffled ones any from 0, pass after pass; otherwise one below size().
  ImageBatch at(int64_t step) const;

  const ImageSet& set() const { return set_; }
  const ImageBatchOptions& options() const { return options_; }

 private:
  int64_t count() const { return set_.images.size(0); }
  void write(int64_t image, int64_t number, float* to) const;

  ImageSet set_;
  ImageBatchOptions options_;
  std::vector<std::array<float, 256>> values_;  // of each channel
};

}  // namespace adjoint::data
