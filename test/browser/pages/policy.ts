// What a page can compute under its content security policy.
import { DeviceError, type DeviceName, getDefaultDevice, setDefaultDevice, tensor } from 'fluxion';

/** A sum on a device, or on the one that the library chooses; or the error. */
export async function sum(device?: DeviceName): Promise<unknown> {
  // The policy does not hold for what a test calls itself.
  await new Promise((resolve) => setTimeout(resolve));
  try {
    if (device !== undefined) setDefaultDevice(device);
    return { device: getDefaultDevice(), sum: tensor([1, 2, 3]).mul(2).sum().itemSync() };
  } catch (error) {
    if (!(error instanceof DeviceError)) throw error;
    return error.message;
  }
}
