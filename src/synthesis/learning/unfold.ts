import type { Shape } from './layer.js';

/** Square windows over an image: where a convolution looks. */
export interface Windows {
  readonly image: Shape;
  readonly kernel: number;
  readonly stride: number;
  /** Zeros around the image, on each side. */
  readonly padding: number;
  /** Windows down and across. */
  readonly down: number;
  readonly across: number;
}

/** Floats of a window: kernel² · channels. */
export const windowSize = ({ image, kernel }: Windows): number => kernel * kernel * image.channels;

/**
 * The windows of each record's image as rows (im2col): records·down·across × kernel²·channels. TensorFlow.js's WebAssembly has
 * no kernel for a convolution's gradient by its filter; as a product of these rows it runs at the speed of a product.
 */
export function unfold(images: Float32Array, windows: Windows, records: number): Float32Array {
  const size = windowSize(windows);
  const out = new Float32Array(records * windows.down * windows.across * size);
  eachRun(windows, records, (image, row, length) => {
    for (let i = 0; i < length; i++) out[row + i] = images[image + i] as number;
  });
  return out;
}

/** The adjoint of `unfold`: rows added up at their places in the images. */
export function fold(rows: Float32Array, windows: Windows, records: number): Float32Array {
  const { height, width, channels } = windows.image;
  const out = new Float32Array(records * height * width * channels);
  eachRun(windows, records, (image, row, length) => {
    for (let i = 0; i < length; i++) out[image + i]! += rows[row + i] as number;
  });
  return out;
}

/** Calls `use` for every run of floats that lies side by side both in the image and in the row of its window. */
function eachRun(
  { image, kernel, stride, padding, down, across }: Windows,
  records: number,
  use: (image: number, row: number, length: number) => void,
): void {
  const { height, width, channels } = image;
  const run = kernel * channels;
  let row = 0;
  for (let record = 0; record < records; record++)
    for (let y = 0; y < down; y++)
      for (let x = 0; x < across; x++) {
        const left = x * stride - padding;
        const first = Math.max(0, -left);
        const length = (Math.min(kernel, width - left) - first) * channels;
        for (let line = y * stride - padding, end = line + kernel; line < end; line++, row += run)
          if (line >= 0 && line < height && length > 0)
            use(((record * height + line) * width + left + first) * channels, row + first * channels, length);
      }
}
