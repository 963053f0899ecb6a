// train_resnet: trains a residual network on images.
#include <adjoint/models/resnet.h>

#include "models/train/image_training.h"

int main(int argc, char** argv) {
  using namespace adjoint;
  struct : train::ImageSettings {
    int64_t depth = 20;
    std::string shortcut = "a", stem = "cifar";
  } s;
  s.out = "runs/resnet";
  s.epochs = 14;
  s.batch_size = 128;
  s.optimizer = "sgd";
  s.lr = 0.2;
  s.warmup_epochs = 2;
  s.weight_decay = 5e-4;
  s.grad_clip = 0;
  s.crop_padding = 2;
  s.flip = true;
  train::OptionTable table("train_resnet", "Trains a residual network to tell what images show.");
  train::add_image_options(table, s);
  table.section("Model");
  table.add("depth", &s.depth, "N", "20, 32, 44, 56 or 110 of the CIFAR family; 18 or 34",
            {.least = 8, .most = 1202});
  table.add("shortcut", &s.shortcut, std::vector<std::string>{"a", "b"},
            "where sizes change; a: channels of zeros, b: a convolution");
  table.add("stem", &s.stem, std::vector<std::string>{"cifar", "imagenet"},
            "imagenet: 7x7 and a maximum, each of which halves the image");
  table.preset("resnet18", {{"depth", "18"}, {"shortcut", "b"}, {"lr", "0.1"}});
  table.preset("resnet34", {{"depth", "34"}, {"shortcut", "b"}, {"lr", "0.1"}});
  return train::classifier_main(argc, argv, table, s, [&](const train::ImageData& data) {
    const models::ResNetOptions options{
        .depth = s.depth,
        .in_channels = data.channels(),
        .classes = data.train.classes,
        .shortcut = s.shortcut == "a" ? models::ResNetShortcut::a : models::ResNetShortcut::b,
        .stem = s.stem == "cifar" ? models::ResNetStem::cifar : models::ResNetStem::imagenet};
    return train::Classifier{std::make_unique<models::ResNet>(options), options.to_json()};
  });
}
