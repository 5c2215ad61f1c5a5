import { library } from '../../tsup.config.shared.ts'

export default library(['index', 'worker'])
