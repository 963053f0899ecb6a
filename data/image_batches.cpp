#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/random.h>
#include <adjoint/data/image_batches.h>

#include <algorithm>
#include <cmath>

#include "data/support/permutation.h"

namespace adjoint::data {
namespace {

// Keep the order of the images and how they are moved apart from other uses of the same seed
// ("image", "move").
constexpr uint64_t kOrderSalt = 0x69'6D'61'67'65, kMoveSalt = 0x6D'6F'76'65;

void check_images(const char* what, const Tensor& images) {
  check<ShapeError>(images.dim() == 4 && images.dtype() == DType::u8 && images.numel() > 0, what,
                    ": images of shape ", images.shape(), " and ", images.dtype(),
                    "; expected u8 of shape (N, C, H, W)");
}

}  // namespace

ChannelStatistics channel_statistics(const Tensor& images) {
  check_images("channel_statistics", images);
  const Tensor all = images.contiguous();
  const int64_t channels = all.size(1), plane = all.size(2) * all.size(3);
  ChannelStatistics result;
  for (int64_t c = 0; c < channels; ++c) {
    std::array<int64_t, 256> counts = {};
    for (int64_t n = 0; n < all.size(0); ++n) {
      const uint8_t* const from = all.data<uint8_t>() + (n * channels + c) * plane;
      for (int64_t i = 0; i < plane; ++i) ++counts[from[i]];
    }
    const auto total = static_cast<double>(all.size(0) * plane);
    double mean = 0, variance = 0;
    for (size_t v = 0; v < counts.size(); ++v) {
      mean += static_cast<double>(counts[v]) * static_cast<double>(v) / 255 / total;
    }
    for (size_t v = 0; v < counts.size(); ++v) {
      const double from_mean = static_cast<double>(v) / 255 - mean;
      variance += static_cast<double>(counts[v]) * from_mean * from_mean / total;
    }
    result.mean.push_back(mean);
    result.std.push_back(std::max(std::sqrt(variance), 1.0 / 255));
  }
  return result;
}

std::pair<ImageSet, ImageSet> split_last(const ImageSet& set, int64_t count) {
  const int64_t all = set.images.size(0);
  check<ConfigError>(count >= 1 && count < all, "split_last: ", count, " of ", all,
                     " images; expected at least one in both parts");
  const auto part = [&](int64_t start, int64_t length) {
    return ImageSet{set.images.narrow(0, start, length), set.labels.narrow(0, start, length),
                    set.classes};
  };
  return {part(0, all - count), part(all - count, count)};
}

ImageBatches::ImageBatches(ImageSet set, const ImageBatchOptions& options)
    : set_(std::move(set)), options_(options) {
  check_images("ImageBatches", set_.images);
  set_.images = set_.images.contiguous();
  const auto channels = static_cast<size_t>(set_.images.size(1));
  check<ShapeError>(set_.labels.shape() == Shape{count()} && set_.labels.dtype() == DType::i64,
                    "ImageBatches: labels of shape ", set_.labels.shape(), " and ",
                    set_.labels.dtype(), " for ", count(), " images; expected i64 of shape (N)");
  check<ConfigError>(options.batch_size >= 1, "ImageBatches: batch_size ", options.batch_size,
                     "; expected at least 1");
  check<ConfigError>(!options.shuffle || count() >= options.batch_size, "ImageBatches: ", count(),
                     " images; expected at least a batch of ", options.batch_size);
  check<ConfigError>(options.crop_padding >= 0, "ImageBatches: crop_padding ", options.crop_padding,
                     "; expected at least 0");
  check<ConfigError>((options.mean.empty() || options.mean.size() == channels) &&
                         options.mean.size() == options.std.size(),
                     "ImageBatches: ", options.mean.size(), " means and ", options.std.size(),
                     " deviations for ", channels, " channels; expected one of each for each");
  for (size_t c = 0; c < channels; ++c) {
    const double mean = options.mean.empty() ? 0 : options.mean[c];
    const double deviation = options.std.empty() ? 1 : options.std[c];
    check<ConfigError>(deviation > 0, "ImageBatches: a deviation of ", deviation,
                       "; expected above 0");
    auto& values = values_.emplace_back();
    for (size_t v = 0; v < values.size(); ++v) {
      values[v] = static_cast<float>((static_cast<double>(v) / 255 - mean) / deviation);
    }
  }
}

int64_t ImageBatches::size() const {
  const int64_t whole = count() / options_.batch_size;
  return options_.shuffle || count() % options_.batch_size == 0 ? whole : whole + 1;
}

// `number`: of the image in the training, what decides how it is moved.
void ImageBatches::write(int64_t image, int64_t number, float* to) const {
  const int64_t channels = set_.images.size(1), height = set_.images.size(2),
                width = set_.images.size(3), plane = height * width;
  const uint8_t* from = set_.images.data<uint8_t>() + image * channels * plane;
  int64_t down = 0, right = 0;  // where the part begins, against the image
  bool flip = false;
  if (options_.crop_padding > 0 || options_.flip) {
    const PhiloxBlock random = philox(options_.seed ^ kMoveSalt, 0, static_cast<uint64_t>(number));
    const auto places = static_cast<uint64_t>(2 * options_.crop_padding + 1);
    const auto place = [&](uint32_t word) {
      return static_cast<int64_t>(uint64_t{word} * places >> 32) - options_.crop_padding;
    };
    down = place(random.word[0]);
    right = place(random.word[1]);
    flip = options_.flip && (random.word[2] & 1) != 0;
  }
  for (int64_t c = 0; c < channels; ++c, from += plane, to += plane) {
    const std::array<float, 256>& values = values_[static_cast<size_t>(c)];
    if (down == 0 && right == 0 && !flip) {
      for (int64_t i = 0; i < plane; ++i) to[i] = values[from[i]];
      continue;
    }
    for (int64_t y = 0; y < height; ++y) {
      const int64_t row = y + down;
      for (int64_t x = 0; x < width; ++x) {
        // The image is flipped after it was cut.
        const int64_t column = (flip ? width - 1 - x : x) + right;
        const bool inside = row >= 0 && row < height && column >= 0 && column < width;
        to[y * width + x] = values[inside ? from[row * width + column] : 0];
      }
    }
  }
}

ImageBatch ImageBatches::at(int64_t step) const {
  check<IndexError>(step >= 0 && (options_.shuffle || step < size()), "ImageBatches: batch ", step,
                    " of ", size());
  const int64_t pass = step / size(), first = step % size() * options_.batch_size;
  const int64_t rows = std::min(options_.batch_size, count() - first);
  const Shape& shape = set_.images.shape();
  ImageBatch batch{empty({rows, shape[1], shape[2], shape[3]}), empty({rows}, DType::i64)};
  const int64_t pixels = shape[1] * shape[2] * shape[3];
  for (int64_t row = 0; row < rows; ++row) {
    int64_t image = first + row;
    if (options_.shuffle) {
      image = shuffled(image, count(), options_.seed ^ kOrderSalt, static_cast<uint64_t>(pass));
    }
    write(image, step * options_.batch_size + row,
          batch.images.mutable_data<float>() + row * pixels);
    batch.labels.mutable_data<int64_t>()[row] = set_.labels.data<int64_t>()[image];
  }
  return batch;
}

}  // namespace adjoint::data
